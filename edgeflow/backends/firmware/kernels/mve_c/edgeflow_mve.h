/* What the kernels for Arm's vector extension (MVE, also called Helium) share.
 *
 * Vectors are 128 bits: sixteen int8, eight int16 or four int32 lanes. Hosts without MVE run the
 * same arithmetic in plain C.
 */
#ifndef EDGEFLOW_MVE_H
#define EDGEFLOW_MVE_H

#include <stdint.h>

/* Slow code in the place of fast would go unnoticed. */
#if defined(__thumb__) && !defined(__ARM_FEATURE_MVE)
#error "These kernels are for cores with MVE: name the core to the compiler (-mcpu=)."
#endif

#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>
#endif

#define EDGEFLOW_MVE_VECTOR_BYTES 16

/* What a convolution's outputs share: the zero point, and the range that its activation leaves. */
typedef struct {
    int32_t zero_point;
    int32_t minimum;
    int32_t maximum;
} edgeflow_mve_outputs;

static inline int8_t edgeflow_mve_clamp(int32_t value, int32_t minimum, int32_t maximum)
{
    const int32_t raised = value < minimum ? minimum : value;
    return (int8_t)(raised > maximum ? maximum : raised);
}

/* a * b / 2^31, rounded to nearest, ties upwards. */
static inline int32_t edgeflow_mve_high_multiply(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* An int32 sum to int8: round(round(sum * multiplier / 2^31) / 2^shift) + zero point, the first
 * rounding with ties upwards, the second with ties away from zero, then clamped.
 *
 * |sum| < 2^30, shift >= 1. With t the first rounding, ties away from zero are
 * (t - (t < 0) + 2^(shift - 1)) >> shift, in which VRSHL adds the half. The sign of the sum serves
 * for that of t: where they differ t is 0, and (2^(shift - 1) - 1) >> shift is 0 as it should be. */
static inline int8_t edgeflow_mve_rescale(int32_t sum, int32_t multiplier, int32_t shift,
                                          const edgeflow_mve_outputs *to)
{
    const int32_t scaled = edgeflow_mve_high_multiply(sum, multiplier) + (sum >> 31);
    const int32_t rounded = (scaled + ((int32_t)1 << (shift - 1))) >> shift;
    return edgeflow_mve_clamp(rounded + to->zero_point, to->minimum, to->maximum);
}

#endif
