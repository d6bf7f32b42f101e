#include "edgeflow_elementwise.h"
#include "edgeflow_fixed_point.h"

static inline int32_t rescaled(const edgeflow_operand *operand, int32_t left_shift, int8_t value)
{
    const int32_t shifted = (value - operand->zero_point) * ((int32_t)1 << left_shift);
    return edgeflow_rescale(shifted, operand->multiplier, operand->shift);
}

void edgeflow_add(const edgeflow_elementwise_layer *layer, const int8_t *first,
                  const int8_t *second, int8_t *output)
{
    const edgeflow_operand a = layer->first;
    const edgeflow_operand b = layer->second;
    for (int32_t o = 0; o < layer->outer; o++) {
        for (int32_t i = 0; i < layer->inner; i++) {
            const int8_t x = first[o * a.outer_step + i * a.inner_step];
            const int8_t y = second[o * b.outer_step + i * b.inner_step];
            const int32_t sum =
                rescaled(&a, layer->left_shift, x) + rescaled(&b, layer->left_shift, y);
            const int32_t scaled = edgeflow_rescale(sum, layer->multiplier, layer->shift);
            const int32_t clamped = edgeflow_clamp(scaled, layer->minimum, layer->maximum);
            *output++ = (int8_t)(clamped + layer->zero_point);
        }
    }
}
