/* Inner products of one input vector with int4 or int2 weights, packed in words.
 *
 * A weight w is stored as w + 8 (int4) or w + 2 (int2), so that no field is negative. One mask then
 * takes the weights of two outputs out of a word, one in each half, and one multiplication by an
 * input makes both products. The sums of the halves stay apart while each fits 16 bits with its sign;
 * after so many taps they are added to the outputs' sums. What the stored 8 or 2 contribute is the
 * same for all outputs: `offset`, which is taken off once.
 */
#ifndef EDGEFLOW_PACKED_SUMS_H
#define EDGEFLOW_PACKED_SUMS_H

#include <stdint.h>

#define EDGEFLOW_INT4_ZERO 8
#define EDGEFLOW_INT2_ZERO 2

/* Words of four outputs, one tap after the other: outputs 0 and 2 beside each other in the low half
 * of a word, 1 and 3 in the high half. The last one or two outputs have words of their own, output
 * 0 in the low half, 1 in the high half; the last three are filled up to four. The words of a group
 * begin with its first tap; the last one may be partly empty.
 *
 * `bias` has the input zero point folded in. */
typedef struct {
    const int8_t *input;
    int32_t inputs;
    int32_t outputs;
    const uint32_t *weights;
    const int32_t *bias;
    uint32_t offset; /* 8 or 2 times the sum of the inputs */
} edgeflow_packed_operands;

/* Sums of outputs `first` to `first` + n - 1, bias included; returns n, from 1 to 4. `first` is a
 * multiple of four. */
typedef int32_t edgeflow_packed_sums(const edgeflow_packed_operands *of, int32_t first,
                                     uint32_t *sums);

edgeflow_packed_sums edgeflow_int4_sums;
edgeflow_packed_sums edgeflow_int2_sums;

static inline uint32_t edgeflow_total(const int8_t *input, int32_t inputs)
{
    uint32_t total = 0;
    for (const int8_t *end = input + inputs; input != end; input++) {
        total += (uint32_t)*input;
    }
    return total;
}

#endif
