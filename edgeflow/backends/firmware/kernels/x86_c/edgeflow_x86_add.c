#include "edgeflow_x86_add.h"

#include "edgeflow_x86_finish.h"

#define LANES 16

EDGEFLOW_AVX512 EDGEFLOW_INLINE __m512i vnni_sums(const edgeflow_linear_add_layer *layer,
                                                  __m128i first, __m128i second)
{
    const __m512i a = _mm512_mullo_epi32(_mm512_cvtepi8_epi32(first),
                                         _mm512_set1_epi32(layer->first_multiplier));
    const __m512i b = _mm512_mullo_epi32(_mm512_cvtepi8_epi32(second),
                                         _mm512_set1_epi32(layer->second_multiplier));
    const __m512i sum = _mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_set1_epi32(layer->base));
    const __m512i scaled = _mm512_srav_epi32(sum, _mm512_set1_epi32(layer->shift));
    const __m512i raised = _mm512_max_epi32(scaled, _mm512_set1_epi32(layer->minimum));
    return _mm512_min_epi32(raised, _mm512_set1_epi32(layer->maximum));
}

EDGEFLOW_AVX512 static void vnni_add(const edgeflow_linear_add_layer *layer, const int8_t *first,
                                     const int8_t *second, int8_t *output)
{
    const edgeflow_linear_add_layer add = *layer;
    for (int32_t at = 0; at < add.elements; at += LANES) {
        const int32_t count = add.elements - at;
        const __mmask16 mask = count >= LANES ? 0xFFFF : (__mmask16)((1u << count) - 1);
        const __m512i sums = vnni_sums(&add, _mm_maskz_loadu_epi8(mask, first + at),
                                       _mm_maskz_loadu_epi8(mask, second + at));
        _mm_mask_storeu_epi8(output + at, mask, _mm512_cvtepi32_epi8(sums));
    }
}

EDGEFLOW_INLINE __m256i avx2_sums(const edgeflow_linear_add_layer *layer, __m128i first,
                                  __m128i second)
{
    const __m256i a = _mm256_mullo_epi32(_mm256_cvtepi8_epi32(first),
                                         _mm256_set1_epi32(layer->first_multiplier));
    const __m256i b = _mm256_mullo_epi32(_mm256_cvtepi8_epi32(second),
                                         _mm256_set1_epi32(layer->second_multiplier));
    const __m256i sum = _mm256_add_epi32(_mm256_add_epi32(a, b), _mm256_set1_epi32(layer->base));
    const __m256i scaled = _mm256_srav_epi32(sum, _mm256_set1_epi32(layer->shift));
    const __m256i raised = _mm256_max_epi32(scaled, _mm256_set1_epi32(layer->minimum));
    return _mm256_min_epi32(raised, _mm256_set1_epi32(layer->maximum));
}

EDGEFLOW_INLINE __m128i avx2_loaded(const int8_t *from, int32_t count)
{
    int8_t all[LANES] = {0};
    if (count >= LANES) {
        return _mm_loadu_si128((const __m128i *)from);
    }
    __builtin_memcpy(all, from, (size_t)count);
    return _mm_loadu_si128((const __m128i *)all);
}

static void avx2_add(const edgeflow_linear_add_layer *layer, const int8_t *first,
                     const int8_t *second, int8_t *output)
{
    const edgeflow_linear_add_layer add = *layer;
    for (int32_t at = 0; at < add.elements; at += LANES) {
        const int32_t count = add.elements - at;
        const __m128i a = avx2_loaded(first + at, count);
        const __m128i b = avx2_loaded(second + at, count);
        const __m256i low = avx2_sums(&add, a, b);
        const __m256i high = avx2_sums(&add, _mm_unpackhi_epi64(a, a), _mm_unpackhi_epi64(b, b));
        edgeflow_avx2_store(low, high, count, output + at);
    }
}

void edgeflow_x86_add(const edgeflow_linear_add_layer *layer, const int8_t *first,
                      const int8_t *second, int8_t *output)
{
    (edgeflow_x86_has_vnni() ? vnni_add : avx2_add)(layer, first, second, output);
}
