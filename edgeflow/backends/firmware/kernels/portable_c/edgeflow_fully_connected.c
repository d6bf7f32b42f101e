#include "edgeflow_fully_connected.h"

void edgeflow_fully_connected(const edgeflow_fully_connected_layer *layer, const int8_t *input,
                              const int8_t *weights, const int32_t *bias, int8_t *output)
{
    const int32_t channels = layer->outputs;
    for (int32_t channel = 0; channel < channels; channel += 4) {
        const edgeflow_filters filters =
            edgeflow_filters_from(weights, channel, channels, layer->inputs);
        edgeflow_sums sums = edgeflow_sums_from(bias, channel, channels);
        edgeflow_dot(&sums, input, &filters, 0, layer->inputs);
        edgeflow_store(&layer->to, &sums, channel, channels, output);
    }
}
