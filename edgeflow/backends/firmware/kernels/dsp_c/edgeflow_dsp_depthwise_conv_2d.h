/* Depthwise convolution, NHWC, int8, for cores with the DSP extension. Dilated filters have zeros
 * between their taps. */
#ifndef EDGEFLOW_DSP_DEPTHWISE_CONV_2D_H
#define EDGEFLOW_DSP_DEPTHWISE_CONV_2D_H

#include <stdint.h>

#include "edgeflow_dsp_plane.h"

/* One axis of the image. Steps are in elements of the tensors. */
typedef struct {
    int32_t input;
    int32_t input_step;
    int32_t output;
    int32_t output_step;
    int32_t filter;
    int32_t stride;
    int32_t pad;
} edgeflow_dsp_axis;

/* Output channel o reads input channel o / multiplier. Weights: [output channel][row][column].
 * Two constants for each output channel: 32 times the bias, the input zero point folded in, plus the
 * shift; and the multiplier. `base` is 2 * output zero point + 1: see edgeflow_dsp_rescale. */
typedef struct {
    const int8_t *weights;
    const int32_t *channels;
    int32_t input_channels;
    int32_t multiplier;
    int32_t input_zero_point;
    int32_t base;
    edgeflow_dsp_axis rows;
    edgeflow_dsp_axis columns;
    int32_t strip_rows;  /* output rows that are computed from one filling of the plane */
    int32_t plane_rows;  /* (strip_rows - 1) * stride + filter */
    int32_t plane_pitch; /* values, even */
} edgeflow_dsp_depthwise_conv_2d_layer;

/* `memory`: the plane, 2 * plane_rows * plane_pitch bytes; then, for filters that are not 3x3 or that
 * have a column stride above 2, their taps as int16, each row padded to an even number. */
void edgeflow_dsp_depthwise_conv_2d_3x3(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                                        const int8_t *input, int8_t *memory, int8_t *output);
void edgeflow_dsp_depthwise_conv_2d(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                                    const int8_t *input, int8_t *memory, int8_t *output);

/* The same; some channels have scales of 1/2 and more, which a negative multiplier marks: see
 * edgeflow_dsp_plane_finer for their shifts. */
void edgeflow_dsp_depthwise_conv_2d_3x3_finer(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                                              const int8_t *input, int8_t *memory, int8_t *output);
void edgeflow_dsp_depthwise_conv_2d_finer(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                                          const int8_t *input, int8_t *memory, int8_t *output);

#endif
