#include "edgeflow_mve_add.h"

void edgeflow_mve_add(const edgeflow_mve_add_layer *layer, const int8_t *first,
                      const int8_t *second, int8_t *output)
{
    /* A local copy, because a store to int8_t may alias the struct. */
    const edgeflow_mve_add_layer add = *layer;
#if defined(__ARM_FEATURE_MVE)
    const int32x4_t multiplier = vdupq_n_s32(add.first_multiplier);
    const int32x4_t minimum = vdupq_n_s32(add.minimum);
    const int32x4_t maximum = vdupq_n_s32(add.maximum);
    for (int32_t elements = add.elements; elements > 0; elements -= 4) {
        const mve_pred16_t valid = vctp32q((uint32_t)elements);
        int32x4_t sum = vldrbq_z_s32(first, valid);
        sum = vmlasq_n_s32(sum, multiplier, add.base);
        sum = vmlaq_n_s32(sum, vldrbq_z_s32(second, valid), add.second_multiplier);
        sum = vmaxq_s32(vshlq_r_s32(sum, add.minus_shift), minimum);
        vstrbq_p_s32(output, vminq_s32(sum, maximum), valid);
        first += 4;
        second += 4;
        output += 4;
    }
#else
    for (int32_t i = 0; i < add.elements; i++) {
        const int32_t sum =
            add.base + first[i] * add.first_multiplier + second[i] * add.second_multiplier;
        output[i] = edgeflow_mve_clamp(sum >> -add.minus_shift, add.minimum, add.maximum);
    }
#endif
}
