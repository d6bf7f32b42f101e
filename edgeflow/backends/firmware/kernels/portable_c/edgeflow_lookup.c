#include "edgeflow_rescale.h"

void edgeflow_lookup(const edgeflow_lookup_layer *layer, const int8_t *input, const int8_t *table,
                     int8_t *output)
{
    for (int32_t i = 0; i < layer->elements; i++) {
        output[i] = table[input[i] + 128];
    }
}
