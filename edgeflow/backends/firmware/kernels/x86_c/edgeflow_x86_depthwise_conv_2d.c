#include "edgeflow_x86_depthwise_conv_2d.h"

#include "edgeflow_x86_finish.h"

#define GROUP 32

typedef edgeflow_x86_depthwise_conv_2d_layer depthwise_layer;

EDGEFLOW_AVX512 EDGEFLOW_INLINE __m512i vnni_widened(const uint8_t *from)
{
    return _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)from));
}

EDGEFLOW_AVX512 static void vnni_group(const depthwise_layer *layer, const uint8_t *from,
                                       int32_t group, int32_t count, int8_t *output)
{
    const int32_t *weights = layer->weights + group * layer->pairs * GROUP;
    const int32_t first = group * GROUP;
    __m512i low = _mm512_loadu_si512(layer->to.bias + first);
    __m512i high = _mm512_loadu_si512(layer->to.bias + first + 16);
    for (int32_t pair = 0; pair < layer->pairs; pair++) {
        const __m512i one = vnni_widened(from + layer->offsets[2 * pair]);
        const __m512i other = vnni_widened(from + layer->offsets[2 * pair + 1]);
        low = _mm512_dpwssd_epi32(low, _mm512_unpacklo_epi16(one, other),
                                  _mm512_loadu_si512(weights));
        high = _mm512_dpwssd_epi32(high, _mm512_unpackhi_epi16(one, other),
                                   _mm512_loadu_si512(weights + 16));
        weights += GROUP;
    }
    if (layer->to.is_plain) {
        low = edgeflow_vnni_plain(low, first, &layer->to);
        high = edgeflow_vnni_plain(high, first + 16, &layer->to);
    } else {
        low = edgeflow_vnni_scaled(low, first, &layer->to);
        high = edgeflow_vnni_scaled(high, first + 16, &layer->to);
    }
    const __m512i words = _mm512_packs_epi32(low, high);
    const __m256i bytes = _mm512_cvtsepi16_epi8(words);
    if (count >= GROUP) {
        _mm256_storeu_si256((__m256i *)output, bytes);
    } else {
        _mm256_mask_storeu_epi8(output, (__mmask32)((1u << count) - 1), bytes);
    }
}

EDGEFLOW_INLINE __m256i avx2_widened(const uint8_t *from)
{
    return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)from));
}

/* Sixteen of a group's channels, from its half `half` on. */
static void avx2_half(const depthwise_layer *layer, const uint8_t *from, int32_t group, int32_t half,
                      int32_t count, int8_t *output)
{
    const int32_t *weights = layer->weights + group * layer->pairs * GROUP + half * 8;
    const int32_t first = group * GROUP + half * 8;
    __m256i low = edgeflow_avx2_load(layer->to.bias + first);
    __m256i high = edgeflow_avx2_load(layer->to.bias + first + 16);
    for (int32_t pair = 0; pair < layer->pairs; pair++) {
        const __m256i one = avx2_widened(from + layer->offsets[2 * pair]);
        const __m256i other = avx2_widened(from + layer->offsets[2 * pair + 1]);
        low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_unpacklo_epi16(one, other),
                                                      edgeflow_avx2_load(weights)));
        high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_unpackhi_epi16(one, other),
                                                        edgeflow_avx2_load(weights + 16)));
        weights += GROUP;
    }
    const __m256i words = _mm256_packs_epi32(edgeflow_avx2_scaled(low, first, &layer->to),
                                             edgeflow_avx2_scaled(high, first + 16, &layer->to));
    edgeflow_avx2_store_words(words, count, output);
}

static void avx2_group(const depthwise_layer *layer, const uint8_t *from, int32_t group,
                       int32_t count, int8_t *output)
{
    avx2_half(layer, from, group, 0, count, output);
    if (count > 16) {
        avx2_half(layer, from + 16, group, 1, count - 16, output + 16);
    }
}

void edgeflow_x86_depthwise_conv_2d(const depthwise_layer *layer, const int8_t *input, int8_t *copy,
                                    int8_t *output)
{
    const int vnni = edgeflow_x86_has_vnni();
    edgeflow_x86_copy(&layer->image, input, (uint8_t *)copy);
    for (int32_t y = 0; y < layer->output_height; y++) {
        for (int32_t run = 0; run < layer->runs; run++) {
            const uint8_t *from =
                (const uint8_t *)copy + y * layer->line_step + run * layer->run_step;
            int32_t group = 0;
            for (int32_t at = 0; at < layer->run_bytes; at += GROUP) {
                const int32_t count = layer->run_bytes - at;
                (vnni ? vnni_group : avx2_group)(layer, from + at, group, count, output + at);
                group = group + 1 == layer->groups ? 0 : group + 1;
            }
            output += layer->run_bytes;
        }
    }
}
