/* Two-dimensional convolution, NHWC, int8, for cores with MVE. */
#ifndef EDGEFLOW_MVE_CONV_2D_H
#define EDGEFLOW_MVE_CONV_2D_H

#include <stdint.h>

#include "edgeflow_mve_dot.h"

/* The taps of a pixel are its filter columns, each from top to bottom: [column][row][channel].
 * Neighbouring pixels share columns, unless the filter is dilated. */
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
    int32_t new_columns;  /* of a pixel that those before it in the strip have not brought */
    int32_t strip_pixels; /* output pixels whose columns lie in working memory at a time */
    int32_t strip_bytes;  /* of those columns, up to a whole word */
    edgeflow_mve_dot dot;
} edgeflow_mve_conv_2d_layer;

/* `memory` holds the columns of a strip:
 * ((strip_pixels - 1) * new_columns + filter_width) * filter_height * input_channels bytes, up to a
 * whole word, and then that of edgeflow_mve_pixels. */
void edgeflow_mve_conv_2d(const edgeflow_mve_conv_2d_layer *layer, const int8_t *input,
                          int8_t *memory, int8_t *output);

/* A 1x1 filter without padding; steps are in bytes of the input. */
typedef struct {
    int32_t rows;
    int32_t row_step;
    int32_t pixels; /* of an output row */
    int32_t pixel_step;
    int32_t together; /* pixels for which packed weights are unpacked once */
    edgeflow_mve_dot dot;
} edgeflow_mve_pointwise_conv_2d_layer;

/* `memory` is that of edgeflow_mve_pixels. */
void edgeflow_mve_pointwise_conv_2d(const edgeflow_mve_pointwise_conv_2d_layer *layer,
                                    const int8_t *input, int8_t *memory, int8_t *output);

#endif
