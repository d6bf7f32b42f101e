/* Depthwise convolution, NHWC, eight neighbouring bytes of a row at a time. */
#ifndef EDGEFLOW_NEON_DEPTHWISE_CONV_2D_H
#define EDGEFLOW_NEON_DEPTHWISE_CONV_2D_H

#include "edgeflow_neon.h"

/* In a run of outputs the neighbour of an output reads the neighbour of its input: a run is a row of
 * pixels, or one pixel. Channels lie in groups of eight; fewer channels than that repeat in a group.
 * Weights lie as [group][tap][channel], an even number of taps; none is -128, so that two products add
 * in 16 bits. */
typedef struct {
    edgeflow_neon_margin image;
    int32_t output_height;
    int32_t runs; /* of a row */
    int32_t line_step;
    int32_t run_step;
    int32_t run_bytes;
    int32_t groups;
    int32_t taps;
    const int32_t *offsets; /* of the taps */
    const int8_t *weights;
    edgeflow_neon_outputs to;
} edgeflow_neon_depthwise_conv_2d_layer;

void edgeflow_neon_depthwise_conv_2d(const edgeflow_neon_depthwise_conv_2d_layer *layer,
                                     const int8_t *input, int8_t *copy, int8_t *output);

#endif
