/* What edgeflow_dsp_four_sums.S does, for hosts without the DSP extension. */
#include "edgeflow_dsp_fully_connected.h"

#if !defined(__ARM_FEATURE_DSP)

void edgeflow_dsp_four_sums(const edgeflow_word *input, const uint32_t *weights,
                            const int32_t *bias, int32_t inputs, int32_t *sums)
{
    for (int32_t pair = 0; pair < 2; pair++) {
        uint32_t both = 256u * (uint32_t)bias[2 * pair + 1] + (uint32_t)bias[2 * pair];
        int32_t low = bias[2 * pair];
        for (int32_t i = 0; i < inputs / 2; i++) {
            const int32_t lanes = (int32_t)weights[2 * i + pair];
            both = (uint32_t)edgeflow_dot_lanes(input[i], lanes, (int32_t)both);
            low = edgeflow_dot_lanes(input[i], edgeflow_even_bytes(lanes), low);
        }
        sums[2 * pair] = low;
        sums[2 * pair + 1] = (int32_t)(both - (uint32_t)low) >> 8;
    }
}

#endif
