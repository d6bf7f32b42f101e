/* From sums to int8 outputs, sixteen or eight at a time. */
#ifndef EDGEFLOW_X86_FINISH_H
#define EDGEFLOW_X86_FINISH_H

#include <immintrin.h>

#include "edgeflow_x86.h"

/* High words of the products of even lanes, and of odd ones, which stay where they are. */
EDGEFLOW_AVX512 EDGEFLOW_INLINE __m512i edgeflow_vnni_high(__m512i a, __m512i b)
{
    const __m512i even = _mm512_srli_epi64(_mm512_mul_epi32(a, b), 32);
    const __m512i odd = _mm512_mul_epi32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32));
    return _mm512_mask_mov_epi32(even, 0xAAAA, odd);
}

EDGEFLOW_AVX512 EDGEFLOW_INLINE __m512i edgeflow_vnni_plain(__m512i sums, int32_t channel,
                                                            const edgeflow_x86_outputs *to)
{
    const __m512i multiplier = _mm512_loadu_si512(to->multiplier + channel);
    const __m512i high = edgeflow_vnni_high(_mm512_sllv_epi32(sums, _mm512_set1_epi32(to->sum_shift)), multiplier);
    return _mm512_srav_epi32(_mm512_add_epi32(high, _mm512_loadu_si512(to->above + channel)),
                             _mm512_loadu_si512(to->shift + channel));
}

EDGEFLOW_AVX512 EDGEFLOW_INLINE __m512i edgeflow_vnni_scaled(__m512i sums, int32_t channel,
                                                             const edgeflow_x86_outputs *to)
{
    const __m512i multiplier = _mm512_loadu_si512(to->multiplier + channel);
    const __m512i high = edgeflow_vnni_high(_mm512_sllv_epi32(sums, _mm512_set1_epi32(to->sum_shift)), multiplier);
    const __m512i base = _mm512_mask_loadu_epi32(_mm512_loadu_si512(to->above + channel),
                                                 _mm512_movepi32_mask(sums), to->below + channel);
    const __m512i shift = _mm512_loadu_si512(to->shift + channel);
    const __m512i scaled = _mm512_srav_epi32(_mm512_add_epi32(high, base), shift);
    const __m512i raised = _mm512_max_epi32(scaled, _mm512_set1_epi32(to->minimum));
    return _mm512_min_epi32(raised, _mm512_set1_epi32(to->maximum));
}

/* Stores as many of sixteen outputs as `count` says; none of a vector beyond the last channel. */
EDGEFLOW_AVX512 EDGEFLOW_INLINE void edgeflow_vnni_store(__m512i outputs, int32_t count, int8_t *to)
{
    const __m128i bytes = _mm512_cvtsepi32_epi8(outputs);
    if (count >= 16) {
        _mm_storeu_si128((__m128i *)to, bytes);
    } else if (count > 0) {
        _mm_mask_storeu_epi8(to, (__mmask16)((1u << count) - 1), bytes);
    }
}

EDGEFLOW_INLINE __m256i edgeflow_avx2_high(__m256i a, __m256i b)
{
    const __m256i even = _mm256_srli_epi64(_mm256_mul_epi32(a, b), 32);
    const __m256i odd = _mm256_mul_epi32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32));
    return _mm256_blend_epi32(even, odd, 0xAA);
}

EDGEFLOW_INLINE __m256i edgeflow_avx2_load(const int32_t *from)
{
    return _mm256_loadu_si256((const __m256i *)from);
}

EDGEFLOW_INLINE __m256i edgeflow_avx2_scaled(__m256i sums, int32_t channel,
                                             const edgeflow_x86_outputs *to)
{
    const __m256i multiplier = edgeflow_avx2_load(to->multiplier + channel);
    const __m256i high = edgeflow_avx2_high(_mm256_sllv_epi32(sums, _mm256_set1_epi32(to->sum_shift)), multiplier);
    const __m256i base = _mm256_blendv_epi8(edgeflow_avx2_load(to->above + channel),
                                            edgeflow_avx2_load(to->below + channel),
                                            _mm256_srai_epi32(sums, 31));
    const __m256i shift = edgeflow_avx2_load(to->shift + channel);
    const __m256i scaled = _mm256_srav_epi32(_mm256_add_epi32(high, base), shift);
    const __m256i raised = _mm256_max_epi32(scaled, _mm256_set1_epi32(to->minimum));
    return _mm256_min_epi32(raised, _mm256_set1_epi32(to->maximum));
}

/* Stores as many of sixteen words as `count` says, as bytes. */
EDGEFLOW_INLINE void edgeflow_avx2_store_words(__m256i words, int32_t count, int8_t *to)
{
    const __m128i bytes =
        _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    if (count >= 16) {
        _mm_storeu_si128((__m128i *)to, bytes);
    } else {
        int8_t all[16];
        _mm_storeu_si128((__m128i *)all, bytes);
        __builtin_memcpy(to, all, (size_t)count);
    }
}

/* The same for sixteen outputs, eight in each vector. Packing works in halves of vectors: it gives
 * words 0-3 8-11 4-7 12-15, which are put in order. */
EDGEFLOW_INLINE void edgeflow_avx2_store(__m256i low, __m256i high, int32_t count, int8_t *to)
{
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xD8);
    edgeflow_avx2_store_words(words, count, to);
}

#endif
