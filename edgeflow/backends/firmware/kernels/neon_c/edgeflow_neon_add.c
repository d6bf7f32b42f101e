#include "edgeflow_neon_add.h"

#include <arm_neon.h>

static int32x4_t sums(const edgeflow_linear_add_layer *add, int16x4_t first, int16x4_t second)
{
    const int32x4_t a =
        vmlaq_n_s32(vdupq_n_s32(add->base), vmovl_s16(first), add->first_multiplier);
    const int32x4_t b = vmlaq_n_s32(a, vmovl_s16(second), add->second_multiplier);
    return vshlq_s32(b, vdupq_n_s32(-add->shift));
}

static int8x8_t eight(const edgeflow_linear_add_layer *add, int8x8_t first, int8x8_t second)
{
    const int16x8_t a = vmovl_s8(first);
    const int16x8_t b = vmovl_s8(second);
    const int32x4_t low = sums(add, vget_low_s16(a), vget_low_s16(b));
    const int32x4_t high = sums(add, vget_high_s16(a), vget_high_s16(b));
    const int8x8_t whole = vqmovn_s16(vcombine_s16(vqmovn_s32(low), vqmovn_s32(high)));
    return vmin_s8(vmax_s8(whole, vdup_n_s8((int8_t)add->minimum)),
                   vdup_n_s8((int8_t)add->maximum));
}

void edgeflow_neon_add(const edgeflow_linear_add_layer *layer, const int8_t *first,
                       const int8_t *second, int8_t *output)
{
    const edgeflow_linear_add_layer add = *layer;
    int32_t at = 0;
    for (; at + 8 <= add.elements; at += 8) {
        vst1_s8(output + at, eight(&add, vld1_s8(first + at), vld1_s8(second + at)));
    }
    for (; at < add.elements; at++) {
        output[at] = vget_lane_s8(eight(&add, vdup_n_s8(first[at]), vdup_n_s8(second[at])), 0);
    }
}
