#include "edgeflow_unpack.h"

void edgeflow_int2_unpack(const edgeflow_unpack_layer *layer, const uint32_t *packed,
                          int8_t *weights)
{
    edgeflow_packed_word *to = (edgeflow_packed_word *)(void *)weights;
    for (int32_t i = 0; i < layer->words; i++) {
        uint32_t word = packed[i];
        for (int32_t field = 0; field < 4; field++) {
            *to++ = edgeflow_unpacked_bytes(word & 0x03030303u, 0x02020202u);
            word >>= 2;
        }
    }
}
