#include "edgeflow_mve.h"
#include "edgeflow_unpack.h"

void edgeflow_int4_unpack(const edgeflow_unpack_layer *layer, const uint32_t *packed,
                          int8_t *weights)
{
    edgeflow_packed_word *to = (edgeflow_packed_word *)(void *)weights;
    int32_t words = layer->words;
#if defined(__ARM_FEATURE_MVE)
    const uint8x16_t field = vdupq_n_u8(0x0F);
    for (; words >= 4; words -= 4) {
        const uint8x16_t four = vreinterpretq_u8_u32(vldrwq_u32(packed));
        const uint8x16_t first = vsubq_n_u8(vandq_u8(four, field), 8);
        const uint8x16_t second = vsubq_n_u8(vshrq_n_u8(four, 4), 8);
        const uint32x4x2_t fields = {{vreinterpretq_u32_u8(first), vreinterpretq_u32_u8(second)}};
        vst2q_u32(to, fields);
        packed += 4;
        to += 8;
    }
#endif
    for (; words > 0; words--) {
        uint32_t word = *packed++;
        for (int32_t i = 0; i < 2; i++) {
            *to++ = edgeflow_unpacked_bytes(word & 0x0F0F0F0Fu, 0x08080808u);
            word >>= 4;
        }
    }
}
