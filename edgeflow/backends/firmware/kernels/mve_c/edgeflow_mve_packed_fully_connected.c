#include "edgeflow_mve_fully_connected.h"

void edgeflow_mve_packed_fully_connected(const edgeflow_mve_packed_fully_connected_layer *layer,
                                         const int8_t *input, int8_t *memory, int8_t *output)
{
    const uint32_t *packed = layer->packed;
    edgeflow_mve_fully_connected_layer four = layer->layer;
    four.weights = memory;
    for (int32_t left = layer->layer.outputs; left > 0; left -= 4) {
        const edgeflow_unpack_layer words = {left <= 4 ? layer->last_words : layer->four_words};
        layer->unpack(&words, packed, memory);
        four.outputs = left < 4 ? left : 4;
        edgeflow_mve_fully_connected(&four, input, output);
        packed += layer->four_words;
        four.bias += 4;
        four.multipliers += four.multiplier_step / 4;
        output += 4;
    }
}
