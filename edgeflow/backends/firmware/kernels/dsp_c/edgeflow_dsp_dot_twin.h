/* The functions of edgeflow_dsp_dot.h in C, for one width of weights; edgeflow_dsp_stored_lanes.h says
 * what the file that includes this one defines. */
#include "edgeflow_dsp_dot.h"
#include "edgeflow_dsp_stored_lanes.h"

typedef struct {
    int32_t channel[2];
} sums;

static inline sums dot_products(const uint32_t *weights, const edgeflow_word *pixel, int32_t step,
                                int32_t words, const int32_t *pair)
{
    const uint32_t offset = (uint32_t)minus_zeros(pixel, words, step);
    int32_t low = (int32_t)((uint32_t)(pair[0] >> 8) + offset);
    uint32_t both = ((uint32_t)pair[2] & ~0xFFu) + 256u * offset + (uint32_t)low;
    for (int32_t i = 0; i < words; i++) {
        const int32_t lanes = lanes_at(weights, 1, i);
        both = (uint32_t)edgeflow_dot_lanes(pixel[i * step], lanes, (int32_t)both);
        low = edgeflow_dot_lanes(pixel[i * step], low_bytes(lanes), low);
    }
    const sums result = {{low, (int32_t)(both - (uint32_t)low) >> 8}};
    return result;
}

static inline int8_t rescaled(const edgeflow_dsp_dot *dot, int32_t sum, int32_t shift,
                              int32_t multiplier)
{
#if WEIGHT_BITS == 8
    const edgeflow_dsp_scale scale = {multiplier, dot->base * ((int32_t)1 << (shift - 1)), shift};
    return (int8_t)edgeflow_dsp_rescale(sum, &scale);
#else
    return edgeflow_dsp_narrow_rescale(sum, SUM_SHIFT, multiplier, shift, dot->base);
#endif
}

static inline void pixels(const edgeflow_dsp_dot *dot, const edgeflow_word *interleaved,
                          int32_t count, int8_t *output)
{
    const int32_t stored_words = dot->taps * WEIGHT_BITS / 16;
    for (int32_t channel = 0; channel < dot->outputs; channel++) {
        const int32_t *constants = dot->channels + 2 * channel;
        for (int32_t pixel = 0; pixel < count; pixel++) {
            const sums both = dot_products(dot->weights + channel / 2 * stored_words,
                                           interleaved + pixel, count, dot->taps / 2,
                                           dot->channels + channel / 2 * 4);
            output[pixel * dot->outputs + channel] =
                rescaled(dot, both.channel[channel % 2], constants[0] & 0xFF, constants[1]);
        }
    }
}
