/* From accumulators to int8 outputs, per output channel. */
#ifndef EDGEFLOW_REQUANTIZE_H
#define EDGEFLOW_REQUANTIZE_H

#include <stdint.h>

#include "edgeflow_dot.h"
#include "edgeflow_fixed_point.h"

/* `multiplier` and `shift` hold one entry per output channel; the result is clamped before the zero
 * point is added. */
typedef struct {
    const int32_t *multiplier;
    const int8_t *shift;
    int32_t minimum;
    int32_t maximum;
    int32_t zero_point;
} edgeflow_requantization;

static inline int8_t edgeflow_requantize(const edgeflow_requantization *to, uint32_t sum,
                                         int32_t channel)
{
    const int32_t scaled =
        edgeflow_rescale((int32_t)sum, to->multiplier[channel], to->shift[channel]);
    return (int8_t)(edgeflow_clamp(scaled, to->minimum, to->maximum) + to->zero_point);
}

/* Writes channels `first` to `first` + 3, as far as they exist. */
static inline void edgeflow_store(const edgeflow_requantization *to, const edgeflow_sums *sums,
                                  int32_t first, int32_t channels, int8_t *output)
{
    for (int32_t lane = 0; lane < 4 && first + lane < channels; lane++) {
        output[first + lane] = edgeflow_requantize(to, sums->channel[lane], first + lane);
    }
}

#endif
