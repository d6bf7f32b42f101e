#include "edgeflow_elementwise.h"
#include "edgeflow_fixed_point.h"

void edgeflow_mul(const edgeflow_elementwise_layer *layer, const int8_t *first,
                  const int8_t *second, int8_t *output)
{
    const edgeflow_operand a = layer->first;
    const edgeflow_operand b = layer->second;
    for (int32_t o = 0; o < layer->outer; o++) {
        for (int32_t i = 0; i < layer->inner; i++) {
            const int32_t x = first[o * a.outer_step + i * a.inner_step] - a.zero_point;
            const int32_t y = second[o * b.outer_step + i * b.inner_step] - b.zero_point;
            const int32_t scaled = edgeflow_rescale(x * y, layer->multiplier, layer->shift);
            const int32_t clamped = edgeflow_clamp(scaled, layer->minimum, layer->maximum);
            *output++ = (int8_t)(clamped + layer->zero_point);
        }
    }
}
