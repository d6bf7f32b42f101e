/* Inner products of one input vector with the weights of several outputs. */
#ifndef EDGEFLOW_SUMS_H
#define EDGEFLOW_SUMS_H

#include <stdint.h>

#define EDGEFLOW_MAX_SUMS 4

/* Sums of outputs `first` to `first` + n - 1, bias included; returns n, which is 1 or 4.
 *
 * Weights of four outputs are interleaved: four for the first input, four for the second, ...; the
 * last one to three outputs follow as plain rows. `bias` has the input zero point folded in:
 * bias[o] - zero point * sum of the weights of o. Sums are unsigned, because such a bias may wrap
 * before the sum is complete. */
int32_t edgeflow_sums(const int8_t *input, int32_t inputs, const int8_t *weights,
                      const int32_t *bias, int32_t first, int32_t outputs, uint32_t *sums);

#endif
