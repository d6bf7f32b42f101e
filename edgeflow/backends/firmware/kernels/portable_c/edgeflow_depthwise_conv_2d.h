/* Depthwise convolution, NHWC, weights [height][width][output channel], int8. */
#ifndef EDGEFLOW_DEPTHWISE_CONV_2D_H
#define EDGEFLOW_DEPTHWISE_CONV_2D_H

#include <stdint.h>

#include "edgeflow_requantize.h"

/* Output channel o reads input channel o / multiplier. */
typedef struct {
    int32_t input_height;
    int32_t input_width;
    int32_t input_channels;
    int32_t output_height;
    int32_t output_width;
    int32_t multiplier;
    int32_t filter_height;
    int32_t filter_width;
    int32_t stride_height;
    int32_t stride_width;
    int32_t dilation_height;
    int32_t dilation_width;
    int32_t pad_top;
    int32_t pad_left;
    int32_t input_zero_point;
    edgeflow_requantization to;
} edgeflow_depthwise_conv_2d_layer;

void edgeflow_depthwise_conv_2d(const edgeflow_depthwise_conv_2d_layer *layer, const int8_t *input,
                                const int8_t *weights, const int32_t *bias, int8_t *output);

#endif
