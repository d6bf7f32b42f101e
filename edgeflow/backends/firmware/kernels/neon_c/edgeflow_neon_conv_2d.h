/* Convolution, NHWC, as inner products of pixels with sixteen output channels. */
#ifndef EDGEFLOW_NEON_CONV_2D_H
#define EDGEFLOW_NEON_CONV_2D_H

#include "edgeflow_neon.h"

/* A filter row is one run of the copied image; `filter_words` words of four bytes cover it, an even
 * number, and weights are zero where they reach beyond it. Weights lie as
 * [block][filter row][word][output channel][byte of the word]; none is -128, so that two products add
 * in 16 bits. Biases make up for the zero point. */
typedef struct {
    edgeflow_neon_margin image;
    int32_t output_height;
    int32_t output_width;
    int32_t line_step;  /* bytes of the copy from one output row to the next */
    int32_t pixel_step; /* and from one pixel to the next */
    int32_t filter_rows;
    int32_t filter_row_step;
    int32_t filter_words;
    int32_t outputs;
    int32_t blocks; /* of sixteen channels */
    const int8_t *weights;
    edgeflow_neon_outputs to;
} edgeflow_neon_conv_2d_layer;

void edgeflow_neon_conv_2d(const edgeflow_neon_conv_2d_layer *layer, const int8_t *input,
                           int8_t *copy, int8_t *output);

#endif
