#include "edgeflow_dense_scaling.h"
#include "edgeflow_fixed_point.h"

int8_t edgeflow_one_multiply(const edgeflow_dense_scaling *to, int32_t sum, int32_t channel)
{
    const int32_t multiplier = to->multiplier[channel * to->multiplier_step];
    const int32_t product = (int32_t)(((int64_t)sum * multiplier) >> 32);
    const int32_t scaled = (product + ((int32_t)1 << (to->shift - 1))) >> to->shift;
    return (int8_t)(edgeflow_clamp(scaled, to->minimum, to->maximum) + to->zero_point);
}
