#include "edgeflow_dsp_fully_connected.h"

#include "edgeflow_dsp_widen.h"

void edgeflow_dsp_int2_fully_connected(const edgeflow_dsp_fully_connected_layer *layer,
                                       const int8_t *input, int8_t *memory, int8_t *output)
{
    edgeflow_word *words = (edgeflow_word *)(void *)memory;
    edgeflow_dsp_widen(words, input, layer->given_inputs, 1);
    edgeflow_dsp_int2_dense(layer, words, output);
}
