/* What the kernels for AArch64 with NEON share: copies of images with a margin, and requantization. */
#ifndef EDGEFLOW_NEON_H
#define EDGEFLOW_NEON_H

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

#define EDGEFLOW_INLINE static inline __attribute__((always_inline))

/* A copy of an image with margins. */
typedef struct {
    int32_t rows;
    int32_t row_bytes;
    int32_t above; /* rows of margin */
    int32_t below;
    int32_t left; /* bytes of margin */
    int32_t right;
    int32_t value; /* of the margin */
} edgeflow_neon_margin;

void edgeflow_neon_copy(const edgeflow_neon_margin *image, const int8_t *input, int8_t *copy);

/* Outputs are sums, scaled by the multipliers in two roundings, plus the zero point, clamped. Shifts
 * are to the right. */
typedef struct {
    const int32_t *bias;
    const int32_t *multiplier;
    const int32_t *shift;
    int32_t zero_point;
    int32_t minimum;
    int32_t maximum;
} edgeflow_neon_outputs;

/* Four outputs. The rounding shift takes ties up; one less before it below zero makes that away from
 * zero, where there is a shift at all. */
EDGEFLOW_INLINE int32x4_t edgeflow_neon_scaled(int32x4_t sums, int32_t channel,
                                               const edgeflow_neon_outputs *to)
{
    const int32x4_t left = vnegq_s32(vld1q_s32(to->shift + channel));
    const int32x4_t high = vqrdmulhq_s32(sums, vld1q_s32(to->multiplier + channel));
    const int32x4_t settled = vaddq_s32(high, vshrq_n_s32(vandq_s32(high, left), 31));
    return vaddq_s32(vrshlq_s32(settled, left), vdupq_n_s32(to->zero_point));
}

/* Stores as many of eight outputs as `count` says. */
EDGEFLOW_INLINE void edgeflow_neon_store(int32x4_t low, int32x4_t high, int32_t count,
                                         const edgeflow_neon_outputs *to, int8_t *output)
{
    const int8x8_t whole = vqmovn_s16(vcombine_s16(vqmovn_s32(low), vqmovn_s32(high)));
    const int8x8_t raised = vmax_s8(whole, vdup_n_s8((int8_t)to->minimum));
    const int8x8_t bytes = vmin_s8(raised, vdup_n_s8((int8_t)to->maximum));
    if (count >= 8) {
        vst1_s8(output, bytes);
    } else if (count > 0) {
        int8_t all[8];
        vst1_s8(all, bytes);
        __builtin_memcpy(output, all, (size_t)count);
    }
}

#endif
