#include "edgeflow_requantize.h"

#include "edgeflow_fixed_point.h"

void edgeflow_requantize(const edgeflow_requantization *to, const uint32_t *sums, int32_t first,
                         int32_t count, int8_t *output)
{
    /* Local copies, because a store to int8_t may alias the struct. */
    const int32_t *multiplier = to->multiplier + first;
    const int8_t *shift = to->shift + first;
    const int32_t minimum = to->minimum;
    const int32_t maximum = to->maximum;
    const int32_t zero_point = to->zero_point;
    output += first;
    for (int32_t i = 0; i < count; i++) {
        const int32_t scaled = edgeflow_rescale((int32_t)sums[i], multiplier[i], shift[i]);
        output[i] = (int8_t)(edgeflow_clamp(scaled, minimum, maximum) + zero_point);
    }
}
