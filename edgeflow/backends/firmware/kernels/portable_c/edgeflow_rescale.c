#include "edgeflow_rescale.h"

#include "edgeflow_fixed_point.h"

void edgeflow_rescale_tensor(const edgeflow_rescale_layer *layer, const int8_t *input,
                             int8_t *output)
{
    for (int32_t i = 0; i < layer->elements; i++) {
        const int32_t scaled = edgeflow_rescale(input[i] - layer->input_zero_point,
                                                layer->multiplier, layer->shift);
        const int32_t clamped = edgeflow_clamp(scaled, layer->minimum, layer->maximum);
        output[i] = (int8_t)(clamped + layer->zero_point);
    }
}
