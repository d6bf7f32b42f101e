/* The inner products of edgeflow_packed_sums.h for one width: the file that includes this one
 * defines FIELD_BITS, the mask FIELDS of one field in each half of a word, and BLOCK_TAPS, after
 * which the halves' sums still fit 16 bits. */
#include "edgeflow_packed_sums.h"

enum {
    GROUP_TAPS = 16 / (2 * FIELD_BITS), /* in a word of four outputs */
    PAIR_TAPS = 16 / FIELD_BITS,        /* in a word of two */
    BLOCK_WORDS = BLOCK_TAPS / GROUP_TAPS
};

/* Functions of their own keep what a loop needs in the few registers of small cores. */
#define ALONE __attribute__((noinline)) static

static inline void add_halves(uint32_t *sums, uint32_t halves)
{
    const uint32_t low = (uint32_t)(int16_t)(halves & 0xFFFFu);
    sums[0] += low;
    sums[1] += (uint32_t)((int32_t)(halves - low) >> 16);
}

/* One tap of a word; the shifts are constants also where the compiler unrolls no loop. */
#define ADD_TAP(tap)                                                        \
    {                                                                       \
        const uint32_t x = (uint32_t)input[tap];                            \
        a += x * ((word >> (2 * FIELD_BITS * (tap))) & FIELDS);              \
        b += x * ((word >> (2 * FIELD_BITS * (tap) + FIELD_BITS)) & FIELDS); \
    }

/* Whole words, at least one and at most a block, of four outputs. */
ALONE const int8_t *add_words(uint32_t *sums, const int8_t *input, const uint32_t *weights,
                              const uint32_t *end)
{
    uint32_t a = 0;
    uint32_t b = 0;
    do {
        const uint32_t word = *weights++;
        ADD_TAP(0)
        ADD_TAP(1)
#if FIELD_BITS == 2
        ADD_TAP(2)
        ADD_TAP(3)
#endif
        input += GROUP_TAPS;
    } while (weights != end);
    add_halves(sums, a);
    add_halves(sums + 2, b);
    return input;
}

/* The taps, at least one, of a word that is not full, of four outputs. */
ALONE void add_taps(uint32_t *sums, const int8_t *input, uint32_t word, int32_t taps)
{
    uint32_t a = 0;
    uint32_t b = 0;
    do {
        const uint32_t x = (uint32_t)*input++;
        a += x * (word & FIELDS);
        b += x * ((word >> FIELD_BITS) & FIELDS);
        word >>= 2 * FIELD_BITS;
        taps--;
    } while (taps > 0);
    add_halves(sums, a);
    add_halves(sums + 2, b);
}

static inline void add_group(uint32_t *sums, const int8_t *input, int32_t inputs,
                             const uint32_t *weights)
{
    const uint32_t *end = weights + inputs / GROUP_TAPS;
    while (end - weights > BLOCK_WORDS) {
        input = add_words(sums, input, weights, weights + BLOCK_WORDS);
        weights += BLOCK_WORDS;
    }
    if (weights != end) {
        input = add_words(sums, input, weights, end);
    }
    if (inputs % GROUP_TAPS > 0) {
        add_taps(sums, input, *end, inputs % GROUP_TAPS);
    }
}

static inline void add_pair(uint32_t *sums, const int8_t *input, int32_t inputs,
                            const uint32_t *weights)
{
    uint32_t word = 0;
    uint32_t halves = 0;
    for (int32_t tap = 0; tap < inputs; tap++) {
        word = tap % PAIR_TAPS == 0 ? *weights++ : word >> FIELD_BITS;
        halves += (uint32_t)input[tap] * (word & FIELDS);
        if (tap % BLOCK_TAPS == BLOCK_TAPS - 1) {
            add_halves(sums, halves);
            halves = 0;
        }
    }
    add_halves(sums, halves);
}

static inline int32_t packed_sums(const edgeflow_packed_operands *of, int32_t first, uint32_t *sums)
{
    const int32_t words = (of->inputs + GROUP_TAPS - 1) / GROUP_TAPS;
    const uint32_t *weights = of->weights + first / 4 * words;
    const int32_t *bias = of->bias + first;
    const int32_t left = of->outputs - first;
    sums[0] = (uint32_t)bias[0] - of->offset;
    if (left == 1) {
        add_pair(sums, of->input, of->inputs, weights);
        return 1;
    }
    sums[1] = (uint32_t)bias[1] - of->offset;
    if (left == 2) {
        add_pair(sums, of->input, of->inputs, weights);
        return 2;
    }
    sums[2] = (uint32_t)bias[2] - of->offset;
    if (left > 3) {
        sums[3] = (uint32_t)bias[3] - of->offset;
    }
    add_group(sums, of->input, of->inputs, weights);
    return left > 3 ? 4 : 3;
}
