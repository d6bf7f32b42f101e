/* Dense layer of one input vector with packed weights. */
#ifndef EDGEFLOW_PACKED_FULLY_CONNECTED_H
#define EDGEFLOW_PACKED_FULLY_CONNECTED_H

#include <stdint.h>

#include "edgeflow_fully_connected.h"
#include "edgeflow_packed_sums.h"

/* Weights and bias as for `edgeflow_packed_sums`. */
void edgeflow_int4_fully_connected(const edgeflow_fully_connected_layer *layer, const int8_t *input,
                                   const uint32_t *weights, const int32_t *bias, int8_t *output);

void edgeflow_int2_fully_connected(const edgeflow_fully_connected_layer *layer, const int8_t *input,
                                   const uint32_t *weights, const int32_t *bias, int8_t *output);

static inline void edgeflow_packed_dense(edgeflow_packed_sums *packed_sums,
                                         const edgeflow_packed_operands *of,
                                         const edgeflow_dense_scaling *to, int8_t *output)
{
    uint32_t sums[4] = {0};
    int32_t channel = 0;
    while (channel < of->outputs) {
        const int32_t count = packed_sums(of, channel, sums);
        for (int32_t i = 0; i < count; i++) {
            output[channel + i] = to->scale(to, (int32_t)sums[i], channel + i);
        }
        channel += count;
    }
}

#endif
