#include "edgeflow_copy.h"
#include "edgeflow_mve_copy.h"

void edgeflow_pad(const edgeflow_pad_layer *layer, const int8_t *input, int8_t *output)
{
    const int32_t *from = layer->input;
    const int32_t *before = layer->before;
    const int32_t *to = layer->output;
    edgeflow_mve_fill(output, layer->value, to[0] * to[1] * to[2] * to[3]);
    /* Rows without padding between their pixels are one piece. */
    const int32_t pieces = from[3] == to[3] ? 1 : from[2];
    const int32_t piece = from[2] * from[3] / pieces;
    for (int32_t n = 0; n < from[0]; n++) {
        for (int32_t y = 0; y < from[1]; y++) {
            const int32_t row = (n + before[0]) * to[1] + y + before[1];
            int8_t *at = output + (row * to[2] + before[2]) * to[3] + before[3];
            for (int32_t i = 0; i < pieces; i++) {
                edgeflow_mve_copy(at, input, piece);
                input += piece;
                at += to[3];
            }
        }
    }
}
