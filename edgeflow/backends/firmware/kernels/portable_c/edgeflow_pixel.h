/* All output channels of one pixel of a convolution, from the inputs below its filter. */
#ifndef EDGEFLOW_PIXEL_H
#define EDGEFLOW_PIXEL_H

#include <stdint.h>

#include "edgeflow_requantize.h"

typedef struct {
    int32_t inputs; /* filter height * filter width * input channels */
    int32_t outputs;
    edgeflow_requantization to;
} edgeflow_pixel_layer;

/* Convolutions take one of them by the width of their weights. */
typedef void edgeflow_pixel_function(const edgeflow_pixel_layer *layer, const int8_t *input,
                                     const void *weights, const int32_t *bias, int8_t *output);

/* int8; weights and bias as for `edgeflow_sums`. */
edgeflow_pixel_function edgeflow_pixel;

/* Weights and bias as for `edgeflow_packed_sums`. */
edgeflow_pixel_function edgeflow_int4_pixel;
edgeflow_pixel_function edgeflow_int2_pixel;

#endif
