/* From accumulators to the int8 outputs of a dense layer. */
#ifndef EDGEFLOW_DENSE_SCALING_H
#define EDGEFLOW_DENSE_SCALING_H

#include <stdint.h>

/* An output is its sum times (multiplier_high * 2^32 + multiplier_low) / 2^(32 + right_shift),
 * rounded as in double; one entry per output, right shifts from 11 to 53. The result is clamped
 * before the zero point is added. */
typedef struct {
    const uint32_t *multiplier_low;
    const uint32_t *multiplier_high;
    const int8_t *right_shift;
    int32_t minimum;
    int32_t maximum;
    int32_t zero_point;
} edgeflow_dense_scaling;

int8_t edgeflow_dense_scale(const edgeflow_dense_scaling *to, int32_t sum, int32_t channel);

#endif
