#include "edgeflow_unpack.h"

void edgeflow_int4_unpack(const edgeflow_unpack_layer *layer, const uint32_t *packed,
                          int8_t *weights)
{
    edgeflow_packed_word *to = (edgeflow_packed_word *)(void *)weights;
    for (int32_t i = 0; i < layer->words; i++) {
        const uint32_t word = packed[i];
        *to++ = edgeflow_unpacked_bytes(word & 0x0F0F0F0Fu, 0x08080808u);
        *to++ = edgeflow_unpacked_bytes((word >> 4) & 0x0F0F0F0Fu, 0x08080808u);
    }
}
