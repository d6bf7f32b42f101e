/* Copies and fills of bytes that compilers turn into tail-predicated loops. */
#ifndef EDGEFLOW_MVE_COPY_H
#define EDGEFLOW_MVE_COPY_H

#include <stdint.h>

#include "edgeflow_mve.h"

static inline void edgeflow_mve_copy(int8_t *to, const int8_t *from, int32_t count)
{
#if defined(__ARM_FEATURE_MVE)
    for (; count > 0; count -= 16) {
        const mve_pred16_t valid = vctp8q((uint32_t)count);
        vstrbq_p_s8(to, vldrbq_z_s8(from, valid), valid);
        to += 16;
        from += 16;
    }
#else
    for (int32_t i = 0; i < count; i++) {
        to[i] = from[i];
    }
#endif
}

static inline void edgeflow_mve_fill(int8_t *to, int32_t value, int32_t count)
{
#if defined(__ARM_FEATURE_MVE)
    const int8x16_t values = vdupq_n_s8((int8_t)value);
    for (; count > 0; count -= 16) {
        vstrbq_p_s8(to, values, vctp8q((uint32_t)count));
        to += 16;
    }
#else
    for (int32_t i = 0; i < count; i++) {
        to[i] = (int8_t)value;
    }
#endif
}

#endif
