#include "edgeflow_fully_connected.h"

#include "edgeflow_sums.h"

void edgeflow_fully_connected(const edgeflow_fully_connected_layer *layer, const int8_t *input,
                              const int8_t *weights, const int32_t *bias, int8_t *output)
{
    uint32_t sums[EDGEFLOW_MAX_SUMS];
    int32_t channel = 0;
    while (channel < layer->outputs) {
        const int32_t count =
            edgeflow_sums(input, layer->inputs, weights, bias, channel, layer->outputs, sums);
        for (int32_t i = 0; i < count; i++) {
            output[channel + i] = layer->to.scale(&layer->to, (int32_t)sums[i], channel + i);
        }
        channel += count;
    }
}
