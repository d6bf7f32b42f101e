/* A dense layer in C for one width of weights; edgeflow_dsp_stored_lanes.h says what the file that
 * includes this one defines. */
#include "edgeflow_dsp_fully_connected.h"
#include "edgeflow_dsp_stored_lanes.h"

static int8_t scaled(const edgeflow_dsp_fully_connected_layer *layer, int32_t sum,
                     int32_t multiplier)
{
    const int64_t shifted = sum * ((int32_t)1 << SUM_SHIFT);
    const int32_t product = (int32_t)((shifted * multiplier) >> 32);
    return (int8_t)edgeflow_saturate_int8((layer->base + product) >> layer->shift);
}

static inline void dense(const edgeflow_dsp_fully_connected_layer *layer,
                         const edgeflow_word *input, int8_t *output)
{
    const int32_t words = layer->inputs / 2;
    const int32_t stored_words = layer->inputs * WEIGHT_BITS / 16;
    const uint32_t offset = (uint32_t)minus_zeros(input, words, 1);
    for (int32_t pair = 0; pair < (layer->outputs + 1) / 2; pair++) {
        const uint32_t *weights = layer->weights + pair / 2 * 2 * stored_words + pair % 2;
        const int32_t *bias = layer->bias + 2 * pair;
        const int32_t *multipliers =
            layer->multipliers + pair / 2 * (layer->multiplier_step / 4) + pair % 2 * 2;
        int32_t low = (int32_t)((uint32_t)bias[0] + offset);
        uint32_t both = 256u * ((uint32_t)bias[1] + offset) + (uint32_t)low;
        for (int32_t i = 0; i < words; i++) {
            const int32_t lanes = lanes_at(weights, 2, i);
            both = (uint32_t)edgeflow_dot_lanes(input[i], lanes, (int32_t)both);
            low = edgeflow_dot_lanes(input[i], low_bytes(lanes), low);
        }
        *output++ = scaled(layer, low, multipliers[0]);
        if (2 * pair + 1 < layer->outputs) {
            *output++ = scaled(layer, (int32_t)(both - (uint32_t)low) >> 8, multipliers[1]);
        }
    }
}
