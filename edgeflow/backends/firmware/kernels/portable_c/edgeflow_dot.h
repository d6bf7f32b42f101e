/* Inner products of one input run with the weights of four output channels at once. */
#ifndef EDGEFLOW_DOT_H
#define EDGEFLOW_DOT_H

#include <stdint.h>

/* One accumulator per output channel; unsigned, because a bias that holds a folded zero point may
 * wrap before the sum is complete. */
typedef struct {
    uint32_t channel[4];
} edgeflow_sums;

/* The weights of four output channels, at the same place of their filters. */
typedef struct {
    const int8_t *channel[4];
} edgeflow_filters;

/* Filters of channels `first` to `first` + 3; those beyond the last repeat it and are discarded. */
static inline edgeflow_filters edgeflow_filters_from(const int8_t *weights, int32_t first,
                                                     int32_t channels, int32_t filter_size)
{
    edgeflow_filters filters;
    for (int32_t lane = 0; lane < 4; lane++) {
        const int32_t channel = first + lane < channels ? first + lane : channels - 1;
        filters.channel[lane] = weights + channel * filter_size;
    }
    return filters;
}

static inline edgeflow_sums edgeflow_sums_from(const int32_t *bias, int32_t first, int32_t channels)
{
    edgeflow_sums sums;
    for (int32_t lane = 0; lane < 4; lane++) {
        const int32_t channel = first + lane < channels ? first + lane : channels - 1;
        sums.channel[lane] = (uint32_t)bias[channel];
    }
    return sums;
}

/* Adds the products of `length` inputs with the weights from `at` on. */
static inline void edgeflow_dot(edgeflow_sums *sums, const int8_t *input,
                                const edgeflow_filters *filters, int32_t at, int32_t length)
{
    const int8_t *w0 = filters->channel[0] + at;
    const int8_t *w1 = filters->channel[1] + at;
    const int8_t *w2 = filters->channel[2] + at;
    const int8_t *w3 = filters->channel[3] + at;
    uint32_t a0 = sums->channel[0];
    uint32_t a1 = sums->channel[1];
    uint32_t a2 = sums->channel[2];
    uint32_t a3 = sums->channel[3];
    for (int32_t i = 0; i < length; i++) {
        const int32_t x = input[i];
        a0 += (uint32_t)(x * w0[i]);
        a1 += (uint32_t)(x * w1[i]);
        a2 += (uint32_t)(x * w2[i]);
        a3 += (uint32_t)(x * w3[i]);
    }
    sums->channel[0] = a0;
    sums->channel[1] = a1;
    sums->channel[2] = a2;
    sums->channel[3] = a3;
}

/* The same where every input has one value: padding. */
static inline void edgeflow_dot_constant(edgeflow_sums *sums, int32_t input,
                                         const edgeflow_filters *filters, int32_t at,
                                         int32_t length)
{
    for (int32_t lane = 0; lane < 4; lane++) {
        int32_t sum = 0;
        for (int32_t i = at; i < at + length; i++) {
            sum += filters->channel[lane][i];
        }
        sums->channel[lane] += (uint32_t)(sum * input);
    }
}

#endif
