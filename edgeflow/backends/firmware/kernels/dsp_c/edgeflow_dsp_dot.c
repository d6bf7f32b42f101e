/* What edgeflow_dsp_dot.S does, for hosts without the DSP extension. */
#include "edgeflow_dsp_dot.h"

#if !defined(__ARM_FEATURE_DSP)

typedef struct {
    int32_t channel[2];
} sums;

static sums dot_products(const uint32_t *weights, const edgeflow_word *pixel, int32_t step,
                         int32_t words, const int32_t *bias)
{
    uint32_t both = 256u * (uint32_t)bias[0] + (uint32_t)bias[1];
    int32_t low = bias[1];
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
        const int32_t *constants = dot->pairs + channel / 2 * 5;
        const int32_t shift = (constants[4] >> (channel % 2 * 8)) & 0xFF;
        const edgeflow_dsp_scale scale = {constants[2 + channel % 2],
                                          dot->base * ((int32_t)1 << (shift - 1)), shift};
        for (int32_t pixel = 0; pixel < count; pixel++) {
            const sums both = dot_products(dot->weights + channel / 2 * words, interleaved + pixel,
                                           count, words, constants);
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
