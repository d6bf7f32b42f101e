#include "edgeflow_fully_connected.h"

#include "edgeflow_fixed_point.h"
#include "edgeflow_sums.h"

/* What lies beyond is clamped to int8 in any case. */
#define SATURATED 0xFFFF

/* Bits of the product's high word beyond this number are more than a double holds. */
#define EXACT_HIGH_BITS 21

static int32_t bit_length(uint64_t value)
{
    int32_t length = 0;
    while (value != 0) {
        value >>= 1;
        length++;
    }
    return length;
}

/* round(sum * scale) as in double: the product keeps 53 bits, then rounds half away from zero.
 * Keeping 53 bits adds at most one to the high word, which matters one below a boundary alone. */
static int32_t scaled(const edgeflow_fully_connected_layer *layer, int32_t sum, int32_t channel)
{
    const uint32_t magnitude = sum < 0 ? 0u - (uint32_t)sum : (uint32_t)sum;
    const uint64_t low = (uint64_t)magnitude * layer->multiplier_low[channel];
    const uint64_t high = (uint64_t)magnitude * layer->multiplier_high[channel] + (low >> 32);
    const int32_t shift = layer->right_shift[channel];
    uint64_t rounded = high + ((uint64_t)1 << (shift - 1));
    if (((rounded + 1) & (((uint64_t)1 << shift) - 1)) == 0 && (high >> EXACT_HIGH_BITS) != 0) {
        const uint64_t half_unit = (uint64_t)1 << (bit_length(high) - EXACT_HIGH_BITS - 1);
        rounded += ((low & 0xFFFFFFFFu) + half_unit) >> 32;
    }
    const uint64_t result = rounded >> shift;
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
