/* Weights as edgeflow_dsp_dot.h and edgeflow_dsp_fully_connected.h store them, read in C for one
 * width. The file that includes this one defines WEIGHT_BITS, STORED_ZERO, which is added to each
 * stored weight, and SUM_SHIFT: sums are requantized as 2^SUM_SHIFT times themselves. */
#include "edgeflow_dsp.h"

/* Word i of two taps of both channels; stored words are `step` apart. */
static inline int32_t lanes_at(const uint32_t *weights, int32_t step, int32_t i)
{
#if WEIGHT_BITS == 8
    return (int32_t)weights[i * step];
#else
    const uint32_t fields = 0x01010101u * ((1u << WEIGHT_BITS) - 1u);
    const int32_t words = 8 / WEIGHT_BITS;
    return (int32_t)((weights[i / words * step] >> (i % words * WEIGHT_BITS)) & fields);
#endif
}

/* Channel 0 of it. */
static inline int32_t low_bytes(int32_t lanes)
{
#if WEIGHT_BITS == 8
    return edgeflow_even_bytes(lanes);
#else
    return lanes & 0x00FF00FF;
#endif
}

/* What the stored zeros contribute to the sum of any channel, negative; `step` words from a word of
 * the inputs to the next. */
static inline int32_t minus_zeros(const edgeflow_word *inputs, int32_t words, int32_t step)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < words; i++) {
        sum = edgeflow_dot_lanes(inputs[i * step], edgeflow_both_lanes(-STORED_ZERO), sum);
    }
    return sum;
}
