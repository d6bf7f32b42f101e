/* Dense layer of one input vector, int8. */
#ifndef EDGEFLOW_FULLY_CONNECTED_H
#define EDGEFLOW_FULLY_CONNECTED_H

#include <stdint.h>

#include "edgeflow_dense_scaling.h"

typedef struct {
    int32_t inputs;
    int32_t outputs;
    edgeflow_dense_scaling to;
} edgeflow_fully_connected_layer;

/* Weights and bias as for `edgeflow_sums`. */
void edgeflow_fully_connected(const edgeflow_fully_connected_layer *layer, const int8_t *input,
                              const int8_t *weights, const int32_t *bias, int8_t *output);

#endif
