/* The inner products of edgeflow_packed_sums.h for one width: the file that includes this one
 * defines FIELD_BITS, the mask FIELDS of one field in each half of a word, and BLOCK_TAPS, after
 * which the halves' sums still fit 16 bits. */
#include "edgeflow_packed_sums.h"

enum {
    GROUP_TAPS = 16 / (2 * FIELD_BITS), /* in a word of four outputs */
    PAIR_TAPS = 16 / FIELD_BITS         /* in a word of two */
};

static inline int32_t smaller(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static inline void add_halves(uint32_t *sums, uint32_t halves)
{
    const uint32_t low = (uint32_t)(int16_t)(halves & 0xFFFFu);
    sums[0] += low;
    sums[1] += (uint32_t)((int32_t)(halves - low) >> 16);
}

static void four_sums(uint32_t *sums, const int8_t *input, int32_t inputs, const uint32_t *weights)
{
    for (; inputs > 0; inputs -= BLOCK_TAPS) {
        const int32_t taps = smaller(inputs, BLOCK_TAPS);
        const int8_t *end = input + taps;
        uint32_t a = 0;
        uint32_t b = 0;
        while (end - input >= GROUP_TAPS) {
            const uint32_t word = *weights++;
            for (int32_t tap = 0; tap < GROUP_TAPS; tap++) {
                const uint32_t x = (uint32_t)input[tap];
                a += x * ((word >> (2 * FIELD_BITS * tap)) & FIELDS);
                b += x * ((word >> (2 * FIELD_BITS * tap + FIELD_BITS)) & FIELDS);
            }
            input += GROUP_TAPS;
        }
        if (input != end) {
            uint32_t word = *weights;
            do {
                const uint32_t x = (uint32_t)*input++;
                a += x * (word & FIELDS);
                b += x * ((word >> FIELD_BITS) & FIELDS);
                word >>= 2 * FIELD_BITS;
            } while (input != end);
        }
        add_halves(sums, a);
        add_halves(sums + 2, b);
    }
}

static void two_sums(uint32_t *sums, const int8_t *input, int32_t inputs, const uint32_t *weights)
{
    for (; inputs > 0; inputs -= BLOCK_TAPS) {
        const int32_t taps = smaller(inputs, BLOCK_TAPS);
        const int8_t *end = input + taps;
        uint32_t a = 0;
        while (input != end) {
            uint32_t word = *weights++;
            const int8_t *last = input + smaller((int32_t)(end - input), PAIR_TAPS);
            while (input != last) {
                a += (uint32_t)*input++ * (word & FIELDS);
                word >>= FIELD_BITS;
            }
        }
        add_halves(sums, a);
    }
}

static inline int32_t packed_sums(const edgeflow_packed_operands *of, int32_t first, uint32_t *sums)
{
    const int32_t words = (of->inputs + GROUP_TAPS - 1) / GROUP_TAPS;
    const uint32_t *weights = of->weights + first / 4 * words;
    const int32_t count = smaller(of->outputs - first, 4);
    for (int32_t i = 0; i < 4; i++) {
        sums[i] = 0;
    }
    if (count > 2) {
        four_sums(sums, of->input, of->inputs, weights);
    } else {
        two_sums(sums, of->input, of->inputs, weights);
    }
    for (int32_t i = 0; i < count; i++) {
        sums[i] += (uint32_t)of->bias[first + i] - of->offset;
    }
    return count;
}
