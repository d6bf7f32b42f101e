/* Depthwise convolution, NHWC, int8, without dilation, for cores with MVE. */
#ifndef EDGEFLOW_MVE_DEPTHWISE_CONV_2D_H
#define EDGEFLOW_MVE_DEPTHWISE_CONV_2D_H

#include <stdint.h>

#include "edgeflow_mve_plane.h"

#define EDGEFLOW_MVE_PLANES 8

/* One axis of the image. Steps are in elements of the tensors. */
typedef struct {
    int32_t input;
    int32_t input_step;
    int32_t output;
    int32_t output_step;
    int32_t filter;
    int32_t stride;
    int32_t pad;
} edgeflow_mve_axis;

typedef void edgeflow_mve_outputs_of_planes(const edgeflow_mve_plane *plane);

/* Output channel o reads input channel o / multiplier. Weights: [output channel][column][row];
 * constants as in edgeflow_mve_plane.h. */
typedef struct {
    const int8_t *weights;
    const int32_t *constants;
    edgeflow_mve_outputs_of_planes *strip_outputs; /* of edgeflow_mve_plane.h */
    edgeflow_mve_outputs_of_planes *last_outputs;  /* of the last strip, which may have fewer rows */
    int32_t input_channels;
    int32_t multiplier;
    int32_t input_zero_point;
    edgeflow_mve_axis rows;
    edgeflow_mve_axis columns;
    int32_t strip_rows;    /* of outputs that are computed together: 1 to 3 */
    int32_t strips;        /* whose planes lie in working memory at a time */
    int32_t plane_rows;    /* (strip_rows - 1) * rows.stride + rows.filter */
    int32_t plane_columns; /* of whole fours of outputs, padding included */
    edgeflow_mve_outputs to;
} edgeflow_mve_depthwise_conv_2d_layer;

/* `planes` is working memory for EDGEFLOW_MVE_PLANES channels, or all where there are fewer:
 * channels * strips * plane_rows * plane_columns + 32 bytes. */
void edgeflow_mve_depthwise_conv_2d(const edgeflow_mve_depthwise_conv_2d_layer *layer,
                                    const int8_t *input, int8_t *planes, int8_t *output);

#endif
