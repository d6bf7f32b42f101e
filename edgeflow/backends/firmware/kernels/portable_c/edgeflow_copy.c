#include "edgeflow_copy.h"

void edgeflow_copy(const edgeflow_copy_layer *layer, const int8_t *input, int8_t *output)
{
    for (int32_t piece = 0; piece < layer->count; piece++) {
        const int8_t *from = input + piece * layer->input_step;
        int8_t *to = output + piece * layer->output_step;
        for (int32_t i = 0; i < layer->size; i++) {
            to[i] = from[i];
        }
    }
}
