#include "edgeflow_copy.h"

#include "edgeflow_dsp.h"

/* A last word that is not full repeats bytes of the one before. */
static inline void copy_words(int8_t *to, const int8_t *from, int32_t size)
{
    const int32_t last = size - 4;
    for (int32_t i = 0; i < last; i += 4) {
        edgeflow_store_word(to + i, edgeflow_load_word(from + i));
    }
    edgeflow_store_word(to + last, edgeflow_load_word(from + last));
}

void edgeflow_copy(const edgeflow_copy_layer *layer, const int8_t *input, int8_t *output)
{
    for (int32_t piece = 0; piece < layer->count; piece++) {
        if (layer->size >= 4) {
            copy_words(output, input, layer->size);
        } else {
            for (int32_t i = 0; i < layer->size; i++) {
                output[i] = input[i];
            }
        }
        input += layer->input_step;
        output += layer->output_step;
    }
}
