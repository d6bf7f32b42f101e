/* Dense layer of one input vector, weights [out][in], int8. */
#ifndef EDGEFLOW_FULLY_CONNECTED_H
#define EDGEFLOW_FULLY_CONNECTED_H

#include <stdint.h>

#include "edgeflow_requantize.h"

typedef struct {
    int32_t inputs;
    int32_t outputs;
    edgeflow_requantization to;
} edgeflow_fully_connected_layer;

/* `bias` has the input zero point folded in: bias[o] - zero point * sum of row o. */
void edgeflow_fully_connected(const edgeflow_fully_connected_layer *layer, const int8_t *input,
                              const int8_t *weights, const int32_t *bias, int8_t *output);

#endif
