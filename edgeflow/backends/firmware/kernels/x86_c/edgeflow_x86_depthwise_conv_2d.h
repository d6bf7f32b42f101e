/* Depthwise convolution, NHWC, thirty-two neighbouring bytes of a row at a time. */
#ifndef EDGEFLOW_X86_DEPTHWISE_CONV_2D_H
#define EDGEFLOW_X86_DEPTHWISE_CONV_2D_H

#include "edgeflow_x86.h"

/* Taps go in pairs; an odd one has a partner with a weight of zero. In a run of outputs the neighbour
 * of an output reads the neighbour of its input: a run is a row of pixels, or one pixel.
 *
 * Channels lie in groups of thirty-two in the order 0-3 8-11 16-19 24-27, 4-7 12-15 20-23 28-31, in
 * which registers widen; fewer channels than that repeat in a group. A word of `weights` holds both
 * weights of a pair, [group][pair][channel]. Biases make up for the offset of the copy. */
typedef struct {
    edgeflow_x86_margin image;
    int32_t output_height;
    int32_t runs; /* of a row */
    int32_t line_step;
    int32_t run_step;
    int32_t run_bytes;
    int32_t groups;
    int32_t pairs;
    const int32_t *offsets; /* of both taps of each pair */
    const int32_t *weights;
    edgeflow_x86_outputs to;
} edgeflow_x86_depthwise_conv_2d_layer;

void edgeflow_x86_depthwise_conv_2d(const edgeflow_x86_depthwise_conv_2d_layer *layer,
                                    const int8_t *input, int8_t *copy, int8_t *output);

#endif
