/* What edgeflow_dsp_plane_3x3.S does, for hosts without the DSP extension. */
#include "edgeflow_dsp_plane.h"

#if !defined(__ARM_FEATURE_DSP)

static void convolve(const edgeflow_dsp_plane *plane, const edgeflow_word *values, int32_t stride,
                     int8_t *output)
{
    for (int32_t row = 0; row < plane->rows; row++) {
        for (int32_t column = 0; column < plane->columns; column++) {
            int32_t sum = plane->bias;
            for (int32_t i = 0; i < 3; i++) {
                const int8_t *at = (const int8_t *)values + row * plane->row_step +
                                   i * plane->pitch + 2 * stride * column;
                int16_t third;
                __builtin_memcpy(&third, at + 4, sizeof third);
                sum = edgeflow_dot_lanes(edgeflow_load_word(at), plane->weights[2 * i], sum);
                sum = edgeflow_dot_low_high(third, plane->weights[2 * i + 1], sum);
            }
            output[row * plane->output_row_step + column * plane->output_step] =
                (int8_t)edgeflow_dsp_rescale(sum, &plane->to);
        }
    }
}

void edgeflow_dsp_plane_3x3(edgeflow_dsp_plane *plane, const edgeflow_word *values, int8_t *output)
{
    convolve(plane, values, 1, output);
}

void edgeflow_dsp_plane_3x3_step_2(edgeflow_dsp_plane *plane, const edgeflow_word *values,
                                   int8_t *output)
{
    convolve(plane, values, 2, output);
}

#endif
