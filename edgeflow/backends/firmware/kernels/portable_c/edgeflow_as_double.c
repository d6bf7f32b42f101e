#include "edgeflow_dense_scaling.h"

#include "edgeflow_fixed_point.h"

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
static int32_t exactly_scaled(const edgeflow_dense_scaling *to, int32_t sum, int32_t channel)
{
    const uint32_t magnitude = sum < 0 ? 0u - (uint32_t)sum : (uint32_t)sum;
    const uint64_t low = (uint64_t)magnitude * to->multiplier_low[channel];
    const uint64_t high = (uint64_t)magnitude * to->multiplier_high[channel] + (low >> 32);
    const int32_t shift = to->right_shift[channel];
    uint64_t rounded = high + ((uint64_t)1 << (shift - 1));
    if (((rounded + 1) & (((uint64_t)1 << shift) - 1)) == 0 && (high >> EXACT_HIGH_BITS) != 0) {
        const uint64_t half_unit = (uint64_t)1 << (bit_length(high) - EXACT_HIGH_BITS - 1);
        rounded += ((low & 0xFFFFFFFFu) + half_unit) >> 32;
    }
    const uint64_t result = rounded >> shift;
    const int32_t bounded = result > SATURATED ? SATURATED : (int32_t)result;
    return sum < 0 ? -bounded : bounded;
}

/* Most products are so far from a boundary that 32 bits of the multiplier tell the result: those
 * below add less than the magnitude, and a double's rounding less than DOUBLE_STEP. */
#define DOUBLE_STEP 2048u
#define MULTIPLIER_SHIFT 21

static int32_t scaled(const edgeflow_dense_scaling *to, int32_t sum, int32_t channel)
{
    const uint32_t magnitude = sum < 0 ? 0u - (uint32_t)sum : (uint32_t)sum;
    const int32_t shift = to->right_shift[channel] - MULTIPLIER_SHIFT;
    if (shift >= 1 && shift <= 31) {
        const uint32_t multiplier = (to->multiplier_high[channel] << (32 - MULTIPLIER_SHIFT)) |
                                    (to->multiplier_low[channel] >> MULTIPLIER_SHIFT);
        const uint64_t least = (uint64_t)magnitude * multiplier;
        const uint64_t most = least + magnitude + DOUBLE_STEP;
        const uint32_t half = (uint32_t)1 << (shift - 1);
        const uint32_t result = ((uint32_t)(least >> 32) + half) >> shift;
        if (result == ((uint32_t)(most >> 32) + half) >> shift) {
            return sum < 0 ? -(int32_t)result : (int32_t)result;
        }
    }
    return exactly_scaled(to, sum, channel);
}

int8_t edgeflow_as_double(const edgeflow_dense_scaling *to, int32_t sum, int32_t channel)
{
    const int32_t clamped = edgeflow_clamp(scaled(to, sum, channel), to->minimum, to->maximum);
    return (int8_t)(clamped + to->zero_point);
}
