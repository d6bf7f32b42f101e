#include "edgeflow_elementwise.h"
#include "edgeflow_fixed_point.h"

/* Shifts of ADD are never to the left. */
static inline int32_t scaled_down(int32_t value, int32_t multiplier, int32_t shift)
{
    return edgeflow_rounding_shift_right(edgeflow_high_multiply(value, multiplier), -shift);
}

void edgeflow_add(const edgeflow_elementwise_layer *layer, const int8_t *first,
                  const int8_t *second, int8_t *output)
{
    /* A local copy, because a store to int8_t may alias the struct. */
    const edgeflow_elementwise_layer add = *layer;
    const edgeflow_operand a = add.first;
    const edgeflow_operand b = add.second;
    for (int32_t o = 0; o < add.outer; o++) {
        for (int32_t i = 0; i < add.inner; i++) {
            const int32_t x = first[o * a.outer_step + i * a.inner_step] - a.zero_point;
            const int32_t y = second[o * b.outer_step + i * b.inner_step] - b.zero_point;
            const int32_t sum =
                scaled_down(x * ((int32_t)1 << add.left_shift), a.multiplier, a.shift) +
                scaled_down(y * ((int32_t)1 << add.left_shift), b.multiplier, b.shift);
            const int32_t scaled = scaled_down(sum, add.multiplier, add.shift);
            *output++ = (int8_t)(edgeflow_clamp(scaled, add.minimum, add.maximum) + add.zero_point);
        }
    }
}
