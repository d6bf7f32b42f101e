/* Blocks of pixels and channels with AVX-512 VNNI: four products of bytes in each lane. */
#ifndef EDGEFLOW_VNNI_BLOCK_H
#define EDGEFLOW_VNNI_BLOCK_H

#include "edgeflow_x86_conv_2d.h"
#include "edgeflow_x86_finish.h"

#define MOST_SUMS 24

EDGEFLOW_AVX512 EDGEFLOW_INLINE void edgeflow_vnni_block(const edgeflow_x86_conv_2d_layer *layer,
                                              const uint8_t *pixels, int32_t block, int8_t *output,
                                              const int count, const int vectors)
{
    const int32_t first = block * vectors * 16;
    const int32_t step = layer->pixel_step;
    const int8_t *weights =
        layer->weights + first * layer->filter_rows * layer->filter_words * 4;
    __m512i sums[MOST_SUMS];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
        const __m512i bias = _mm512_loadu_si512(layer->to.bias + first + v * 16);
#pragma GCC unroll 16
        for (int p = 0; p < count; p++) {
            sums[p * vectors + v] = bias;
        }
    }
    for (int32_t row = 0; row < layer->filter_rows; row++) {
        const uint8_t *from = pixels + row * layer->filter_row_step;
        for (int32_t word = 0; word < layer->filter_words; word++) {
            __m512i w[4];
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) {
                w[v] = _mm512_loadu_si512(weights + v * 64);
            }
#pragma GCC unroll 16
            for (int p = 0; p < count; p++) {
                int32_t bytes;
                __builtin_memcpy(&bytes, from + p * step, 4);
                const __m512i x = _mm512_set1_epi32(bytes);
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++) {
                    sums[p * vectors + v] = _mm512_dpbusd_epi32(sums[p * vectors + v], x, w[v]);
                }
            }
            weights += vectors * 64;
            from += 4;
        }
    }
    if (layer->to.is_plain) {
#pragma GCC unroll 24
        for (int i = 0; i < count * vectors; i++) {
            sums[i] = edgeflow_vnni_plain(sums[i], first + i % vectors * 16, &layer->to);
        }
    } else {
#pragma GCC unroll 24
        for (int i = 0; i < count * vectors; i++) {
            sums[i] = edgeflow_vnni_scaled(sums[i], first + i % vectors * 16, &layer->to);
        }
    }
#pragma GCC unroll 24
    for (int i = 0; i < count * vectors; i++) {
        const int32_t channel = i % vectors * 16;
        edgeflow_vnni_store(sums[i], layer->outputs - first - channel,
                            output + i / vectors * layer->outputs + channel);
    }
}

/* A function for so many pixels and vectors. */
#define EDGEFLOW_VNNI_BLOCK(count, vectors)                                                         \
    EDGEFLOW_AVX512 EDGEFLOW_BLOCK(edgeflow_vnni_##count##x##vectors)                               \
    {                                                                                               \
        edgeflow_vnni_block(layer, pixels, block, output, count, vectors);                          \
    }

#endif
