/* Convolution, NHWC, as inner products of pixels with vectors of sixteen output channels. */
#ifndef EDGEFLOW_X86_CONV_2D_H
#define EDGEFLOW_X86_CONV_2D_H

#include "edgeflow_x86.h"

struct edgeflow_x86_conv_2d_layer;

/* Some pixels of one row, from `pixels` on, and all channels of a block: writes to `output`, which is
 * the block's first channel of the first pixel. */
typedef void (*edgeflow_x86_block)(const struct edgeflow_x86_conv_2d_layer *layer,
                                   const uint8_t *pixels, int32_t block, int8_t *output);

/* A filter row is one run of the copied image; `filter_words` words of four bytes cover it, and
 * weights are zero where the last word reaches beyond it. Weights lie as
 * [block][filter row][word][output channel][byte of the word]. The copy's values have an offset of
 * 128, for which the biases make up, as for the zero point. */
typedef struct edgeflow_x86_conv_2d_layer {
    edgeflow_x86_margin image;
    int32_t output_height;
    int32_t output_width;
    int32_t line_step;  /* bytes of the copy from one output row to the next */
    int32_t pixel_step; /* and from one pixel to the next */
    int32_t filter_rows;
    int32_t filter_row_step;
    int32_t filter_words;
    int32_t outputs;
    int32_t blocks;
    int32_t block_outputs;
    const int8_t *weights;
    edgeflow_x86_outputs to;
    edgeflow_x86_block vnni;
    int32_t vnni_pixels; /* at a time; never more than a row has */
    edgeflow_x86_block avx2;
    int32_t avx2_pixels;
} edgeflow_x86_conv_2d_layer;

void edgeflow_x86_conv_2d(const edgeflow_x86_conv_2d_layer *layer, const int8_t *input,
                          int8_t *copy, int8_t *output);

/* Functions of a block, by pixels and for VNNI by vectors of sixteen channels. */
#define EDGEFLOW_BLOCK(name)                                                                        \
    void name(const struct edgeflow_x86_conv_2d_layer *layer, const uint8_t *pixels, int32_t block, \
              int8_t *output)
EDGEFLOW_BLOCK(edgeflow_vnni_1x1);
EDGEFLOW_BLOCK(edgeflow_vnni_2x1);
EDGEFLOW_BLOCK(edgeflow_vnni_4x1);
EDGEFLOW_BLOCK(edgeflow_vnni_8x1);
EDGEFLOW_BLOCK(edgeflow_vnni_16x1);
EDGEFLOW_BLOCK(edgeflow_vnni_1x2);
EDGEFLOW_BLOCK(edgeflow_vnni_2x2);
EDGEFLOW_BLOCK(edgeflow_vnni_4x2);
EDGEFLOW_BLOCK(edgeflow_vnni_8x2);
EDGEFLOW_BLOCK(edgeflow_vnni_12x2);
EDGEFLOW_BLOCK(edgeflow_vnni_1x3);
EDGEFLOW_BLOCK(edgeflow_vnni_2x3);
EDGEFLOW_BLOCK(edgeflow_vnni_4x3);
EDGEFLOW_BLOCK(edgeflow_vnni_8x3);
EDGEFLOW_BLOCK(edgeflow_vnni_1x4);
EDGEFLOW_BLOCK(edgeflow_vnni_2x4);
EDGEFLOW_BLOCK(edgeflow_vnni_4x4);
EDGEFLOW_BLOCK(edgeflow_vnni_5x4);
EDGEFLOW_BLOCK(edgeflow_vnni_6x4);
EDGEFLOW_BLOCK(edgeflow_avx2_1);
EDGEFLOW_BLOCK(edgeflow_avx2_2);
EDGEFLOW_BLOCK(edgeflow_avx2_3);

#endif
