/* Two-dimensional convolution, NHWC, int8, for cores with the DSP extension. */
#ifndef EDGEFLOW_DSP_CONV_2D_H
#define EDGEFLOW_DSP_CONV_2D_H

#include <stdint.h>

#include "edgeflow_dsp_dot.h"

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
    edgeflow_dsp_dot dot;
} edgeflow_dsp_conv_2d_layer;

/* `patches` is working memory: three pixels' inputs as int16, 6 * `dot.taps` bytes, then one
 * pixel's as int8, `dot.taps` bytes. */
void edgeflow_dsp_conv_2d(const edgeflow_dsp_conv_2d_layer *layer, const int8_t *input,
                          int8_t *patches, int8_t *output);

/* The same for a 1x1 filter without padding. */
void edgeflow_dsp_pointwise_conv_2d(const edgeflow_dsp_conv_2d_layer *layer, const int8_t *input,
                                    int8_t *patches, int8_t *output);

#endif
