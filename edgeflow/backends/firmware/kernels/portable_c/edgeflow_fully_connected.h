/* Dense layer of one input vector, int8. */
#ifndef EDGEFLOW_FULLY_CONNECTED_H
#define EDGEFLOW_FULLY_CONNECTED_H

#include <stdint.h>

/* An output is its sum times (multiplier_high * 2^32 + multiplier_low) / 2^(32 + right_shift),
 * rounded as in double; one entry per output, right shifts from 11 to 53. The result is clamped
 * before the zero point is added. */
typedef struct {
    int32_t inputs;
    int32_t outputs;
    const uint32_t *multiplier_low;
    const uint32_t *multiplier_high;
    const int8_t *right_shift;
    int32_t minimum;
    int32_t maximum;
    int32_t zero_point;
} edgeflow_fully_connected_layer;

/* Weights and bias as for `edgeflow_sums`. */
void edgeflow_fully_connected(const edgeflow_fully_connected_layer *layer, const int8_t *input,
                              const int8_t *weights, const int32_t *bias, int8_t *output);

#endif
