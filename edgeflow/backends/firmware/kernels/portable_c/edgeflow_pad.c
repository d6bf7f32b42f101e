#include "edgeflow_copy.h"

void edgeflow_pad(const edgeflow_pad_layer *layer, const int8_t *input, int8_t *output)
{
    const int32_t *from = layer->input;
    const int32_t *before = layer->before;
    const int32_t *to = layer->output;
    const int32_t elements = to[0] * to[1] * to[2] * to[3];
    for (int32_t i = 0; i < elements; i++) {
        output[i] = (int8_t)layer->value;
    }
    for (int32_t n = 0; n < from[0]; n++) {
        for (int32_t y = 0; y < from[1]; y++) {
            for (int32_t x = 0; x < from[2]; x++) {
                const int32_t row = (n + before[0]) * to[1] + y + before[1];
                int8_t *at = output + (row * to[2] + x + before[2]) * to[3] + before[3];
                for (int32_t c = 0; c < from[3]; c++) {
                    at[c] = *input++;
                }
            }
        }
    }
}
