#include "edgeflow_dsp_fully_connected.h"

#include "edgeflow_dsp_widen.h"

void edgeflow_dsp_fully_connected(const edgeflow_dsp_fully_connected_layer *layer,
                                  const int8_t *input, int8_t *memory, int8_t *output)
{
    edgeflow_word *words = (edgeflow_word *)(void *)memory;
    const uint32_t *weights = layer->weights;
    int32_t sums[4];
    edgeflow_dsp_widen(words, input, layer->given_inputs, 1);
    for (int32_t channel = 0; channel < layer->outputs; channel += 4) {
        edgeflow_dsp_four_sums(words, weights, layer->bias + channel, layer->inputs, sums);
        for (int32_t i = 0; i < 4 && channel + i < layer->outputs; i++) {
            *output++ = edgeflow_dense_scale(&layer->to, sums[i], channel + i);
        }
        weights += layer->inputs;
    }
}
