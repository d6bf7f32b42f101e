/* Two-dimensional convolution, NHWC, int8. */
#ifndef EDGEFLOW_CONV_2D_H
#define EDGEFLOW_CONV_2D_H

#include <stdint.h>

#include "edgeflow_pixel.h"

typedef struct {
    int32_t input_height;
    int32_t input_width;
    int32_t input_channels;
    int32_t output_height;
    int32_t output_width;
    int32_t filter_height;
    int32_t filter_width;
    int32_t stride_height;
    int32_t stride_width;
    int32_t dilation_height;
    int32_t dilation_width;
    int32_t pad_top;
    int32_t pad_left;
    int32_t input_zero_point;
    edgeflow_pixel_function *convolve;
    edgeflow_pixel_layer pixel;
} edgeflow_conv_2d_layer;

/* Weights (filters flattened, OHWI) and bias are those of `convolve`; `patch` is working memory for the
 * inputs of one output pixel: filter height * filter width * input channels elements. */
void edgeflow_conv_2d(const edgeflow_conv_2d_layer *layer, const int8_t *input,
                      const void *weights, const int32_t *bias, int8_t *patch, int8_t *output);

#endif
