/* 1x1 convolution without padding, any stride, NHWC, int8. */
#ifndef EDGEFLOW_POINTWISE_CONV_2D_H
#define EDGEFLOW_POINTWISE_CONV_2D_H

#include <stdint.h>

#include "edgeflow_pixel.h"

typedef struct {
    int32_t output_height;
    int32_t output_width;
    int32_t row_step;    /* input elements from an output row to the next */
    int32_t column_step; /* input elements from an output column to the next */
    edgeflow_pixel_function *convolve;
    edgeflow_pixel_layer pixel;
} edgeflow_pointwise_conv_2d_layer;

/* Weights and bias are those of `convolve`. */
void edgeflow_pointwise_conv_2d(const edgeflow_pointwise_conv_2d_layer *layer, const int8_t *input,
                                const void *weights, const int32_t *bias, int8_t *output);

#endif
