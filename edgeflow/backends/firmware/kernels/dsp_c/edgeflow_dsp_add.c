#include "edgeflow_dsp_add.h"

/* Operands are shifted left by 20 bits; the multiplier of a half takes one back. */
#define LEFT_SHIFT 20

static inline int32_t fine_value(int32_t difference, edgeflow_dsp_scale scale)
{
    const int32_t base = scale.base + (difference >> 31);
    const int32_t doubled = difference * ((int32_t)1 << (LEFT_SHIFT + 1));
    return edgeflow_add_high_multiply(base, doubled, scale.multiplier) >> scale.shift;
}

/* The sum of one element of each operand, which has LEFT_SHIFT - 1 more bits. */
static inline int32_t sum_of(int32_t coarse, int32_t fine, edgeflow_dsp_scale scale)
{
    return coarse * ((int32_t)1 << (LEFT_SHIFT - 1)) + fine_value(fine, scale);
}

void edgeflow_dsp_add(const edgeflow_dsp_add_layer *layer, const int8_t *coarse,
                      const int8_t *fine, int8_t *output)
{
    /* A local copy, because a store to int8_t may alias the struct. */
    const edgeflow_dsp_add_layer add = *layer;
    const int32_t a = -add.coarse_zero_point;
    const int32_t b = -add.fine_zero_point;
    int32_t elements = add.elements;
    for (; elements >= 4; elements -= 4) {
        const int32_t x = edgeflow_load_word(coarse);
        const int32_t y = edgeflow_load_word(fine);
        const int32_t s0 = sum_of(a + (int8_t)x, b + (int8_t)y, add.fine);
        const int32_t s1 = sum_of(a + (int8_t)(x >> 8), b + (int8_t)(y >> 8), add.fine);
        const int32_t s2 = sum_of(a + (int8_t)(x >> 16), b + (int8_t)(y >> 16), add.fine);
        const int32_t s3 = sum_of(a + (int8_t)(x >> 24), b + (int8_t)(y >> 24), add.fine);
        output[0] = (int8_t)edgeflow_dsp_rescale(s0, &add.to);
        output[1] = (int8_t)edgeflow_dsp_rescale(s1, &add.to);
        output[2] = (int8_t)edgeflow_dsp_rescale(s2, &add.to);
        output[3] = (int8_t)edgeflow_dsp_rescale(s3, &add.to);
        coarse += 4;
        fine += 4;
        output += 4;
    }
    for (; elements > 0; elements--) {
        const int32_t sum = sum_of(a + *coarse++, b + *fine++, add.fine);
        *output++ = (int8_t)edgeflow_dsp_rescale(sum, &add.to);
    }
}

void edgeflow_dsp_add_equal_scales(const edgeflow_dsp_add_layer *layer, const int8_t *first,
                                   const int8_t *second, int8_t *output)
{
    const edgeflow_dsp_scale to = layer->to;
    const int32_t zero_points = -layer->coarse_zero_point - layer->fine_zero_point;
    for (int32_t elements = layer->elements; elements > 0; elements--) {
        const int32_t sum = zero_points + *first++ + *second++;
        const int32_t scaled = sum * ((int32_t)1 << (LEFT_SHIFT - 1));
        *output++ = (int8_t)edgeflow_dsp_rescale(scaled, &to);
    }
}
