#include "edgeflow_fully_connected.h"

#include "edgeflow_fixed_point.h"
#include "edgeflow_sums.h"

/* What lies beyond is clamped to int8 in any case. */
#define SATURATED 0xFFFF

/* Rounds half away from zero; the low word of the product cannot reach the rounding bit. */
static int32_t scaled(const edgeflow_fully_connected_layer *layer, int32_t sum, int32_t channel)
{
    const uint32_t magnitude = sum < 0 ? 0u - (uint32_t)sum : (uint32_t)sum;
    const uint64_t low = (uint64_t)magnitude * layer->multiplier_low[channel];
    const uint64_t high = (uint64_t)magnitude * layer->multiplier_high[channel];
    const int32_t shift = layer->right_shift[channel];
    const uint64_t result = (high + (low >> 32) + ((uint64_t)1 << (shift - 1))) >> shift;
    const int32_t bounded = result > SATURATED ? SATURATED : (int32_t)result;
    return sum < 0 ? -bounded : bounded;
}

void edgeflow_fully_connected(const edgeflow_fully_connected_layer *layer, const int8_t *input,
                              const int8_t *weights, const int32_t *bias, int8_t *output)
{
    uint32_t sums[EDGEFLOW_MAX_SUMS];
    int32_t channel = 0;
    while (channel < layer->outputs) {
        const int32_t count =
            edgeflow_sums(input, layer->inputs, weights, bias, channel, layer->outputs, sums);
        for (int32_t i = 0; i < count; i++) {
            const int32_t value = scaled(layer, (int32_t)sums[i], channel + i);
            const int32_t clamped = edgeflow_clamp(value, layer->minimum, layer->maximum);
            output[channel + i] = (int8_t)(clamped + layer->zero_point);
        }
        channel += count;
    }
}
