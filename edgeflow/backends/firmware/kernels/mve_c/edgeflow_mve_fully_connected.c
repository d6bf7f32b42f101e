/* What edgeflow_mve_fully_connected.S does, for hosts without MVE. */
#include "edgeflow_mve_fully_connected.h"

#if !defined(__ARM_FEATURE_MVE)

void edgeflow_mve_fully_connected(const edgeflow_mve_fully_connected_layer *layer,
                                  const int8_t *input, int8_t *output)
{
    const int8_t *weights = layer->weights;
    for (int32_t channel = 0; channel < layer->outputs; channel++) {
        const int32_t *multipliers =
            layer->multipliers + channel / 4 * (layer->multiplier_step / 4);
        uint32_t sum = (uint32_t)layer->bias[channel];
        for (int32_t i = 0; i < layer->inputs; i++) {
            sum += (uint32_t)(input[i] * *weights++);
        }
        const int64_t product = (int64_t)(int32_t)sum * multipliers[channel % 4];
        const int32_t scaled = (layer->base + (int32_t)(product >> 32)) >> -layer->minus_shift;
        output[channel] = edgeflow_mve_clamp(scaled, layer->minimum, layer->maximum);
    }
}

#endif
