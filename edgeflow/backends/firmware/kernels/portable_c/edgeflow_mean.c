#include "edgeflow_mean.h"

#include "edgeflow_fixed_point.h"

static int32_t sum_from(const edgeflow_mean_layer *layer, const int8_t *input)
{
    const edgeflow_dimension outer = layer->averaged[0];
    const edgeflow_dimension inner = layer->averaged[1];
    int32_t sum = layer->input_offset;
    for (int32_t o = 0; o < outer.size; o++) {
        for (int32_t i = 0; i < inner.size; i++) {
            sum += input[o * outer.step + i * inner.step];
        }
    }
    return sum;
}

void edgeflow_mean(const edgeflow_mean_layer *layer, const int8_t *input, int8_t *output)
{
    const edgeflow_dimension outer = layer->kept[0];
    const edgeflow_dimension inner = layer->kept[1];
    for (int32_t o = 0; o < outer.size; o++) {
        for (int32_t i = 0; i < inner.size; i++) {
            const int32_t sum = sum_from(layer, input + o * outer.step + i * inner.step);
            const int32_t scaled = edgeflow_rescale(sum, layer->multiplier, layer->shift);
            const int32_t clamped = edgeflow_clamp(scaled, layer->minimum, layer->maximum);
            *output++ = (int8_t)(clamped + layer->zero_point);
        }
    }
}
