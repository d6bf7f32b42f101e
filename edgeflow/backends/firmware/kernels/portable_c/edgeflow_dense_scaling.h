/* From accumulators to the int8 outputs of a dense layer. */
#ifndef EDGEFLOW_DENSE_SCALING_H
#define EDGEFLOW_DENSE_SCALING_H

#include <stdint.h>

typedef struct edgeflow_dense_scaling edgeflow_dense_scaling;

typedef int8_t edgeflow_dense_scale(const edgeflow_dense_scaling *to, int32_t sum,
                                    int32_t channel);

struct edgeflow_dense_scaling {
    edgeflow_dense_scale *scale; /* one of the functions below */
    int32_t minimum;             /* bounds of the output less its zero point */
    int32_t maximum;
    int32_t zero_point;
    const int32_t *multiplier;       /* edgeflow_one_multiply: for each output, */
    int32_t multiplier_step;         /* or one for all, with a step of 0 */
    int32_t shift;
    const uint32_t *multiplier_low;  /* edgeflow_as_double: for each output */
    const uint32_t *multiplier_high;
    const int8_t *right_shift;
};

/* (half + (sum * multiplier >> 32)) >> shift with half = 1 << (shift - 1), where the generator has
 * proved that this is what rounding in double gives. */
edgeflow_dense_scale edgeflow_one_multiply;

/* sum * (multiplier_high * 2^32 + multiplier_low) / 2^(32 + right_shift), rounded as in double; right
 * shifts are 11 to 53. */
edgeflow_dense_scale edgeflow_as_double;

#endif
