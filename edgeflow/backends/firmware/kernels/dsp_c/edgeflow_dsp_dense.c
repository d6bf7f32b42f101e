/* What edgeflow_dsp_dense.S does, for hosts without the DSP extension. */
#include "edgeflow_dsp_fully_connected.h"

#if !defined(__ARM_FEATURE_DSP)

static int8_t scaled(const edgeflow_dsp_fully_connected_layer *layer, int32_t sum,
                     int32_t multiplier)
{
    const int32_t product = (int32_t)(((int64_t)sum * multiplier) >> 32);
    return (int8_t)edgeflow_saturate_int8((layer->base + product) >> layer->shift);
}

void edgeflow_dsp_dense(const edgeflow_dsp_fully_connected_layer *layer,
                        const edgeflow_word *input, int8_t *output)
{
    for (int32_t pair = 0; pair < (layer->outputs + 1) / 2; pair++) {
        const uint32_t *weights = layer->weights + pair / 2 * layer->inputs + pair % 2;
        const int32_t *bias = layer->constants + pair / 2 * 8 + pair % 2 * 2;
        uint32_t both = 256u * (uint32_t)bias[1] + (uint32_t)bias[0];
        int32_t low = bias[0];
        for (int32_t i = 0; i < layer->inputs / 2; i++) {
            const int32_t lanes = (int32_t)weights[2 * i];
            both = (uint32_t)edgeflow_dot_lanes(input[i], lanes, (int32_t)both);
            low = edgeflow_dot_lanes(input[i], edgeflow_even_bytes(lanes), low);
        }
        *output++ = scaled(layer, low, bias[4]);
        if (2 * pair + 1 < layer->outputs) {
            *output++ = scaled(layer, (int32_t)(both - (uint32_t)low) >> 8, bias[5]);
        }
    }
}

#endif
