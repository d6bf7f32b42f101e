#include "edgeflow_pixel.h"

#include "edgeflow_sums.h"

void edgeflow_pixel(const edgeflow_pixel_layer *layer, const int8_t *input, const void *weights,
                    const int32_t *bias, int8_t *output)
{
    uint32_t sums[EDGEFLOW_MAX_SUMS];
    int32_t channel = 0;
    while (channel < layer->outputs) {
        const int32_t count =
            edgeflow_sums(input, layer->inputs, weights, bias, channel, layer->outputs, sums);
        edgeflow_requantize(&layer->to, sums, channel, count, output);
        channel += count;
    }
}
