/* What edgeflow_dsp_dot.S does, for hosts without the DSP extension. */
#include "edgeflow_dsp_dot.h"

#if !defined(__ARM_FEATURE_DSP)

#define WEIGHT_BITS 8
#define STORED_ZERO 0
#define SUM_SHIFT 0
#include "edgeflow_dsp_dot_twin.h"

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
