/* Blocks of pixels and channels with AVX2: bytes become words of 16 bits, whose products add in pairs. */
#include "edgeflow_x86_conv_2d.h"

#include "edgeflow_x86_finish.h"

/* Pairs of neighbouring lanes, added: of two vectors with two lanes for each channel one with one. */
EDGEFLOW_INLINE __m256i pair_sums(__m256i low, __m256i high)
{
    return _mm256_permute4x64_epi64(_mm256_hadd_epi32(low, high), 0xD8);
}

/* Sixteen channels: four vectors of sums for each pixel, with two lanes for each channel. */
EDGEFLOW_INLINE void sixteen(const edgeflow_x86_conv_2d_layer *layer, const uint8_t *pixels,
                             const int8_t *weights, int32_t word_step, int32_t channel,
                             int8_t *output, const int count)
{
    __m256i sums[3 * 4];
#pragma GCC unroll 12
    for (int i = 0; i < count * 4; i++) {
        sums[i] = _mm256_setzero_si256();
    }
    for (int32_t row = 0; row < layer->filter_rows; row++) {
        const uint8_t *from = pixels + row * layer->filter_row_step;
        for (int32_t word = 0; word < layer->filter_words; word++) {
            __m256i x[3];
#pragma GCC unroll 3
            for (int p = 0; p < count; p++) {
                int32_t bytes;
                __builtin_memcpy(&bytes, from + p * layer->pixel_step, 4);
                x[p] = _mm256_cvtepu8_epi16(_mm_set1_epi32(bytes));
            }
#pragma GCC unroll 4
            for (int part = 0; part < 4; part++) {
                const __m128i *at = (const __m128i *)(weights + part * 16);
                const __m256i w = _mm256_cvtepi8_epi16(_mm_loadu_si128(at));
#pragma GCC unroll 3
                for (int p = 0; p < count; p++) {
                    const __m256i products = _mm256_madd_epi16(x[p], w);
                    sums[p * 4 + part] = _mm256_add_epi32(sums[p * 4 + part], products);
                }
            }
            weights += word_step;
            from += 4;
        }
    }
    const edgeflow_x86_outputs *to = &layer->to;
    const __m256i *bias = (const __m256i *)(to->bias + channel);
#pragma GCC unroll 3
    for (int p = 0; p < count; p++) {
        const __m256i low = pair_sums(sums[p * 4], sums[p * 4 + 1]);
        const __m256i high = pair_sums(sums[p * 4 + 2], sums[p * 4 + 3]);
        const __m256i first = _mm256_add_epi32(low, _mm256_loadu_si256(bias));
        const __m256i second = _mm256_add_epi32(high, _mm256_loadu_si256(bias + 1));
        edgeflow_avx2_store(edgeflow_avx2_scaled(first, channel, to),
                            edgeflow_avx2_scaled(second, channel + 8, to),
                            layer->outputs - channel, output + p * layer->outputs);
    }
}

EDGEFLOW_INLINE void block_of(const edgeflow_x86_conv_2d_layer *layer, const uint8_t *pixels,
                              int32_t block, int8_t *output, const int count)
{
    const int32_t first = block * layer->block_outputs;
    const int32_t word_step = layer->block_outputs * 4;
    const int8_t *weights = layer->weights + first * layer->filter_rows * layer->filter_words * 4;
    for (int32_t v = 0; v < layer->block_outputs && first + v < layer->outputs; v += 16) {
        sixteen(layer, pixels, weights + v * 4, word_step, first + v, output + v, count);
    }
}

#define BLOCK(count)                                                                                \
    EDGEFLOW_BLOCK(edgeflow_avx2_##count)                                                           \
    {                                                                                               \
        block_of(layer, pixels, block, output, count);                                              \
    }

BLOCK(1)
BLOCK(2)
BLOCK(3)
