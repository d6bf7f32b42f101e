#include "edgeflow_copy.h"

#include "edgeflow_mve_copy.h"

void edgeflow_copy(const edgeflow_copy_layer *layer, const int8_t *input, int8_t *output)
{
    for (int32_t piece = 0; piece < layer->count; piece++) {
        edgeflow_mve_copy(output, input, layer->size);
        input += layer->input_step;
        output += layer->output_step;
    }
}
