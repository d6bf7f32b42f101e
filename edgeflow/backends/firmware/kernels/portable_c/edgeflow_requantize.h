/* From accumulators to int8 outputs, per output channel. */
#ifndef EDGEFLOW_REQUANTIZE_H
#define EDGEFLOW_REQUANTIZE_H

#include <stdint.h>

/* `multiplier` and `shift` hold one entry per output channel; the result is clamped before the zero
 * point is added. */
typedef struct {
    const int32_t *multiplier;
    const int8_t *shift;
    int32_t minimum;
    int32_t maximum;
    int32_t zero_point;
} edgeflow_requantization;

/* Writes output[first] to output[first + count - 1]. Sums are unsigned, because a bias that holds a
 * folded zero point may wrap before the sum is complete. */
void edgeflow_requantize(const edgeflow_requantization *to, const uint32_t *sums, int32_t first,
                         int32_t count, int8_t *output);

#endif
