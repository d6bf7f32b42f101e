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

/* Weights and bias as for `edgeflow_sums`. */
void edgeflow_pixel(const edgeflow_pixel_layer *layer, const int8_t *input, const int8_t *weights,
                    const int32_t *bias, int8_t *output);

#endif
