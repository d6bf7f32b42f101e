#include "edgeflow_requantize.h"

#include "edgeflow_fixed_point.h"

void edgeflow_requantize(const edgeflow_requantization *to, const uint32_t *sums, int32_t first,
                         int32_t count, int8_t *output)
{
    for (int32_t i = 0; i < count; i++) {
        const int32_t channel = first + i;
        const int32_t scaled =
            edgeflow_rescale((int32_t)sums[i], to->multiplier[channel], to->shift[channel]);
        const int32_t clamped = edgeflow_clamp(scaled, to->minimum, to->maximum);
        output[channel] = (int8_t)(clamped + to->zero_point);
    }
}
