/* What the kernels for x86-64 share: the processor's features, and copies of images with a margin.
 *
 * The base is AVX2 and FMA (x86-64-v3). Processors with AVX-512 and its 8-bit products (VNNI) run
 * functions of their own, chosen when the model runs. */
#ifndef EDGEFLOW_X86_H
#define EDGEFLOW_X86_H

#include <stdint.h>

#define EDGEFLOW_INLINE static inline __attribute__((always_inline))
#define EDGEFLOW_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))

/* Whether the processor, and the system that saves its registers, has AVX-512 with VNNI. */
int edgeflow_x86_has_vnni(void);

/* A copy of an image with margins; values are offset by 128, so that they have no sign. */
typedef struct {
    int32_t rows;
    int32_t row_bytes;
    int32_t above; /* rows of margin */
    int32_t below;
    int32_t left; /* bytes of margin */
    int32_t right;
    int32_t value; /* of the margin, with the offset */
} edgeflow_x86_margin;

void edgeflow_x86_copy(const edgeflow_x86_margin *image, const int8_t *input, uint8_t *copy);

/* Outputs are (((sum * 2**sum_shift * multiplier) >> 32) + base) >> shift, clamped; the base is `below`
 * for sums below zero and `above` for others, and makes up for both roundings of the operator. In a
 * plain layer there is one base, and the range is that of int8. */
typedef struct {
    const int32_t *bias;
    const int32_t *multiplier;
    const int32_t *shift;
    const int32_t *below;
    const int32_t *above;
    int32_t sum_shift;
    int32_t minimum;
    int32_t maximum;
    int32_t is_plain;
} edgeflow_x86_outputs;

#endif
