#include "edgeflow_sums.h"

/* Four outputs share each load of an input. */
static void four_sums(const int8_t *input, int32_t inputs, const int8_t *weights,
                      const int32_t *bias, uint32_t *sums)
{
    uint32_t a0 = (uint32_t)bias[0];
    uint32_t a1 = (uint32_t)bias[1];
    uint32_t a2 = (uint32_t)bias[2];
    uint32_t a3 = (uint32_t)bias[3];
    for (const int8_t *end = input + inputs; input != end; input++) {
        const int32_t x = *input;
        a0 += (uint32_t)(x * weights[0]);
        a1 += (uint32_t)(x * weights[1]);
        a2 += (uint32_t)(x * weights[2]);
        a3 += (uint32_t)(x * weights[3]);
        weights += 4;
    }
    sums[0] = a0;
    sums[1] = a1;
    sums[2] = a2;
    sums[3] = a3;
}

static uint32_t one_sum(const int8_t *input, int32_t inputs, const int8_t *weights, int32_t bias)
{
    uint32_t sum = (uint32_t)bias;
    for (int32_t i = 0; i < inputs; i++) {
        sum += (uint32_t)(input[i] * weights[i]);
    }
    return sum;
}

int32_t edgeflow_sums(const int8_t *input, int32_t inputs, const int8_t *weights,
                      const int32_t *bias, int32_t first, int32_t outputs, uint32_t *sums)
{
    weights += first * inputs;
    bias += first;
    if (first + 4 <= outputs) {
        four_sums(input, inputs, weights, bias, sums);
        return 4;
    }
    sums[0] = one_sum(input, inputs, weights, *bias);
    return 1;
}
