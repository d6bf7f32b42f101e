/* What edgeflow_dsp_dot.S does, for hosts without the DSP extension. */
#include "edgeflow_dsp_dot.h"

#if !defined(__ARM_FEATURE_DSP)

typedef struct {
    int32_t channel[2];
} sums;

static sums dot_products(const uint32_t *weights, const edgeflow_word *pixel, int32_t step,
                         int32_t words, const int32_t *pair)
{
    int32_t low = pair[0] >> 8;
    uint32_t both = ((uint32_t)pair[2] & ~0xFFu) + (uint32_t)low;
    for (int32_t i = 0; i < words; i++) {
        const int32_t lanes = (int32_t)weights[i];
        both = (uint32_t)edgeflow_dot_lanes(pixel[i * step], lanes, (int32_t)both);
        low = edgeflow_dot_lanes(pixel[i * step], edgeflow_even_bytes(lanes), low);
    }
    const sums result = {{low, (int32_t)(both - (uint32_t)low) >> 8}};
    return result;
}

static void pixels(const edgeflow_dsp_dot *dot, const edgeflow_word *interleaved, int32_t count,
                   int8_t *output)
{
    const int32_t words = dot->taps / 2;
    for (int32_t channel = 0; channel < dot->outputs; channel++) {
        const int32_t *constants = dot->channels + 2 * channel;
        const int32_t shift = constants[0] & 0xFF;
        const edgeflow_dsp_scale scale = {constants[1],
                                          dot->base * ((int32_t)1 << (shift - 1)), shift};
        for (int32_t pixel = 0; pixel < count; pixel++) {
            const sums both = dot_products(dot->weights + channel / 2 * words, interleaved + pixel,
                                           count, words, dot->channels + channel / 2 * 4);
            output[pixel * dot->outputs + channel] =
                (int8_t)edgeflow_dsp_rescale(both.channel[channel % 2], &scale);
        }
    }
}

void edgeflow_dsp_one_pixel(const edgeflow_dsp_dot *dot, const edgeflow_word *pixel,
                            int8_t *output)
{
    pixels(dot, pixel, 1, output);
}

void edgeflow_dsp_three_pixels(const edgeflow_dsp_dot *dot, const edgeflow_word *interleaved,
                               int8_t *output)
{
    pixels(dot, interleaved, 3, output);
}

#endif
