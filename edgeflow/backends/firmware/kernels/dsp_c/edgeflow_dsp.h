/* The instructions of Arm's DSP extension that the kernels use, and the same in C for other hosts.
 *
 * Lanes are the two int16 halves of a word, the low half first. Memory is little-endian.
 */
#ifndef EDGEFLOW_DSP_H
#define EDGEFLOW_DSP_H

#include <stdint.h>

/* Slow code in the place of fast would go unnoticed. */
#if defined(__thumb__) && !defined(__ARM_FEATURE_DSP)
#error "These kernels are for cores with the DSP extension: name the core to the compiler (-mcpu=)."
#endif

/* A word of working memory or of a tensor: the arena is declared as int8_t. */
typedef int32_t __attribute__((may_alias)) edgeflow_word;

/* Four neighbouring bytes from any address. */
static inline int32_t edgeflow_load_word(const int8_t *from)
{
    int32_t word;
    __builtin_memcpy(&word, from, sizeof word);
    return word;
}

static inline void edgeflow_store_word(int8_t *to, int32_t word)
{
    __builtin_memcpy(to, &word, sizeof word);
}

/* Two lanes of one value. */
static inline int32_t edgeflow_both_lanes(int32_t value)
{
    return (int32_t)(((uint32_t)value << 16) | ((uint32_t)value & 0xFFFFu));
}

#if defined(__ARM_FEATURE_DSP)

/* Bytes 0 and 2, sign-extended. */
static inline int32_t edgeflow_even_bytes(int32_t word)
{
    int32_t lanes;
    __asm__("sxtb16 %0, %1" : "=r"(lanes) : "r"(word));
    return lanes;
}

/* Bytes 1 and 3, sign-extended. */
static inline int32_t edgeflow_odd_bytes(int32_t word)
{
    int32_t lanes;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(lanes) : "r"(word));
    return lanes;
}

/* To each lane byte 0 or 2, sign-extended. */
static inline int32_t edgeflow_add_even_bytes(int32_t lanes, int32_t word)
{
    __asm__("sxtab16 %0, %0, %1" : "+r"(lanes) : "r"(word));
    return lanes;
}

/* To each lane byte 1 or 3, sign-extended. */
static inline int32_t edgeflow_add_odd_bytes(int32_t lanes, int32_t word)
{
    __asm__("sxtab16 %0, %0, %1, ror #8" : "+r"(lanes) : "r"(word));
    return lanes;
}

/* sum + a.low * b.low + a.high * b.high, modulo 2^32. */
static inline int32_t edgeflow_dot_lanes(int32_t a, int32_t b, int32_t sum)
{
    __asm__("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(b));
    return sum;
}

/* sum + a.low * b.low, modulo 2^32. */
static inline int32_t edgeflow_dot_low_low(int32_t a, int32_t b, int32_t sum)
{
    __asm__("smlabb %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(b));
    return sum;
}

/* sum + a.low * b.high, modulo 2^32. */
static inline int32_t edgeflow_dot_low_high(int32_t a, int32_t b, int32_t sum)
{
    __asm__("smlabt %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(b));
    return sum;
}

/* sum + a.high * b.low, modulo 2^32. */
static inline int32_t edgeflow_dot_high_low(int32_t a, int32_t b, int32_t sum)
{
    __asm__("smlatb %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(b));
    return sum;
}

/* base + a * b / 2^32, rounded to nearest, ties upwards. */
static inline int32_t edgeflow_add_high_multiply(int32_t base, int32_t a, int32_t b)
{
    int32_t result;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(base));
    return result;
}

static inline int32_t edgeflow_saturate_int8(int32_t value)
{
    int32_t result;
    __asm__("ssat %0, #8, %1" : "=r"(result) : "r"(value));
    return result;
}

/* The larger of each two bytes: SEL takes by the flags that SSUB8 sets. */
static inline int32_t edgeflow_maximum_bytes(int32_t a, int32_t b)
{
    int32_t result;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(result) : "r"(a), "r"(b) : "cc");
    return result;
}

static inline int32_t edgeflow_minimum_bytes(int32_t a, int32_t b)
{
    int32_t result;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %2, %1" : "=&r"(result) : "r"(a), "r"(b) : "cc");
    return result;
}

#else

static inline int32_t edgeflow_lanes(int32_t low, int32_t high)
{
    return (int32_t)(((uint32_t)high << 16) | ((uint32_t)low & 0xFFFFu));
}

static inline int32_t edgeflow_low_lane(int32_t lanes)
{
    return (int16_t)(lanes & 0xFFFF);
}

static inline int32_t edgeflow_high_lane(int32_t lanes)
{
    return lanes >> 16;
}

static inline int32_t edgeflow_even_bytes(int32_t word)
{
    return edgeflow_lanes((int8_t)(word & 0xFF), (int8_t)((word >> 16) & 0xFF));
}

static inline int32_t edgeflow_odd_bytes(int32_t word)
{
    return edgeflow_lanes((int8_t)((word >> 8) & 0xFF), (int8_t)((word >> 24) & 0xFF));
}

static inline int32_t edgeflow_add_even_bytes(int32_t lanes, int32_t word)
{
    const int32_t bytes = edgeflow_even_bytes(word);
    return edgeflow_lanes(edgeflow_low_lane(lanes) + edgeflow_low_lane(bytes),
                          edgeflow_high_lane(lanes) + edgeflow_high_lane(bytes));
}

static inline int32_t edgeflow_add_odd_bytes(int32_t lanes, int32_t word)
{
    return edgeflow_add_even_bytes(lanes, (int32_t)((uint32_t)word >> 8));
}

static inline int32_t edgeflow_add_product(int32_t a, int32_t b, int32_t sum)
{
    return (int32_t)((uint32_t)sum + (uint32_t)(a * b));
}

static inline int32_t edgeflow_dot_low_low(int32_t a, int32_t b, int32_t sum)
{
    return edgeflow_add_product(edgeflow_low_lane(a), edgeflow_low_lane(b), sum);
}

static inline int32_t edgeflow_dot_low_high(int32_t a, int32_t b, int32_t sum)
{
    return edgeflow_add_product(edgeflow_low_lane(a), edgeflow_high_lane(b), sum);
}

static inline int32_t edgeflow_dot_high_low(int32_t a, int32_t b, int32_t sum)
{
    return edgeflow_add_product(edgeflow_high_lane(a), edgeflow_low_lane(b), sum);
}

static inline int32_t edgeflow_dot_lanes(int32_t a, int32_t b, int32_t sum)
{
    sum = edgeflow_dot_low_low(a, b, sum);
    return edgeflow_add_product(edgeflow_high_lane(a), edgeflow_high_lane(b), sum);
}

static inline int32_t edgeflow_add_high_multiply(int32_t base, int32_t a, int32_t b)
{
    const int64_t product = (int64_t)a * b + ((int64_t)1 << 31);
    return (int32_t)(base + (product >> 32));
}

/* Bytes of `a` where `take_larger` says so for its comparison with b's, else bytes of `b`. */
static inline int32_t edgeflow_select_bytes(int32_t a, int32_t b, int take_larger)
{
    uint32_t result = 0;
    for (uint32_t at = 0; at < 32; at += 8) {
        const int8_t first = (int8_t)(((uint32_t)a >> at) & 0xFFu);
        const int8_t second = (int8_t)(((uint32_t)b >> at) & 0xFFu);
        const int8_t taken = (first >= second) == (take_larger != 0) ? first : second;
        result |= (uint32_t)(uint8_t)taken << at;
    }
    return (int32_t)result;
}

static inline int32_t edgeflow_maximum_bytes(int32_t a, int32_t b)
{
    return edgeflow_select_bytes(a, b, 1);
}

static inline int32_t edgeflow_minimum_bytes(int32_t a, int32_t b)
{
    return edgeflow_select_bytes(a, b, 0);
}

static inline int32_t edgeflow_saturate_int8(int32_t value)
{
    if (value < INT8_MIN) {
        return INT8_MIN;
    }
    return value > INT8_MAX ? INT8_MAX : value;
}

#endif

/* An int32 accumulator to int8: round(round(sum * multiplier / 2^31) / 2^shift) + zero point, the
 * first rounding with ties upwards, the second with ties away from zero, then saturated.
 *
 * |sum| < 2^30, shift >= 1, base = (2 * zero point + 1) << (shift - 1). With t the first rounding,
 * ties away from zero are (t + 2^(shift - 1) - (t < 0)) >> shift. The sign of the sum serves for
 * that of t: where they differ t is 0, and (2^(shift - 1) - 1) >> shift is 0 as it should be. */
typedef struct {
    int32_t multiplier;
    int32_t base;
    int32_t shift;
} edgeflow_dsp_scale;

static inline int32_t edgeflow_dsp_rescale(int32_t sum, const edgeflow_dsp_scale *to)
{
    const int32_t base = to->base + (sum >> 31);
    const int32_t scaled = edgeflow_add_high_multiply(base, sum * 2, to->multiplier);
    return edgeflow_saturate_int8(scaled >> to->shift);
}

/* An int32 accumulator of narrow weights to int8, equal to the above or, where the shift would be 0 or
 * to the left, to round(sum * multiplier / 2^(31 + shift)) + zero point with ties upwards.
 *
 * `scaling` is the shift to the right plus k, plus 32 where rounding is in two steps; `doubled_base`
 * is 2 * zero point + 1 and |sum| < 2^(30 - k). All is computed 2^k times finer, the product rounded
 * down. The first of two roundings, which is half as coarse as the last bit before the shift, moves
 * ties by 2^(k - 1), away from zero. */
static inline int8_t edgeflow_dsp_narrow_rescale(int32_t sum, int32_t k, int32_t multiplier,
                                                 int32_t scaling, int32_t doubled_base)
{
    const int32_t shift = scaling & 31;
    int32_t base = doubled_base * ((int32_t)1 << (shift - 1));
    if (scaling & 32) {
        const int32_t tie = (int32_t)1 << (k - 1);
        base += sum < 0 ? -tie : tie;
    }
    const int64_t finer = sum * ((int32_t)1 << (k + 1));
    const int32_t scaled = base + (int32_t)((finer * multiplier) >> 32);
    return (int8_t)edgeflow_saturate_int8(scaled >> shift);
}

#endif
