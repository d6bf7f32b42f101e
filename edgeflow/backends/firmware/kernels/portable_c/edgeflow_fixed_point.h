/* Fixed-point arithmetic shared by the kernels: TensorFlow Lite's rounding, without branches.
 *
 * Signed right shifts are arithmetic, as on every compiler for these cores. Sums that may wrap
 * are kept in uint32_t, where that is defined.
 */
#ifndef EDGEFLOW_FIXED_POINT_H
#define EDGEFLOW_FIXED_POINT_H

#include <stdint.h>

static inline int32_t edgeflow_clamp(int32_t value, int32_t low, int32_t high)
{
    if (value < low) {
        return low;
    }
    return value > high ? high : value;
}

/* a * b / 2^31, rounded to nearest, ties upwards; not for a = b = INT32_MIN. */
static inline int32_t edgeflow_high_multiply(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* value / 2^shift, rounded to nearest, ties away from zero; 0 <= shift <= 31. */
static inline int32_t edgeflow_rounding_shift_right(int32_t value, int32_t shift)
{
    const uint32_t mask = ((uint32_t)1 << shift) - 1u;
    const uint32_t remainder = (uint32_t)value & mask;
    const uint32_t threshold = (mask >> 1) + (value < 0 ? 1u : 0u);
    return (value >> shift) + (remainder > threshold ? 1 : 0);
}

/* value * multiplier * 2^(shift - 31), rounded twice; -31 <= shift <= 30. */
static inline int32_t edgeflow_rescale(int32_t value, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    const int32_t shifted = (int32_t)((uint32_t)value << left);
    return edgeflow_rounding_shift_right(edgeflow_high_multiply(shifted, multiplier), right);
}

#endif
