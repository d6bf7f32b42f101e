#include "edgeflow_dsp_plane_sums.h"

/* A sum to int8, 2^EDGEFLOW_DSP_FINER times finer until the shift: edgeflow_dsp_narrow_rescale. */
static int8_t finer_rescale(int32_t sum, const edgeflow_dsp_scale *to)
{
    const int64_t finer = sum * ((int32_t)1 << (EDGEFLOW_DSP_FINER + 1));
    const int32_t scaled = to->base + (int32_t)((finer * to->multiplier) >> 32);
    return (int8_t)edgeflow_saturate_int8(scaled >> to->shift);
}

void edgeflow_dsp_plane_finer(const edgeflow_dsp_plane *plane, int32_t column_bytes,
                              const edgeflow_word *values, int8_t *output)
{
    const int8_t *row = (const int8_t *)values;
    for (int32_t y = 0; y < plane->rows; y++) {
        const int8_t *at = row;
        int8_t *to = output;
        for (int32_t x = plane->columns; x > 0; x -= 4) {
            int32_t sums[4] = {plane->bias, plane->bias, plane->bias, plane->bias};
            edgeflow_dsp_plane_sums(plane, at, column_bytes, sums);
            for (int32_t i = 0; i < 4 && i < x; i++) {
                *to = finer_rescale(sums[i], &plane->to);
                to += plane->output_step;
            }
            at += 4 * column_bytes;
        }
        row += plane->row_step;
        output += plane->output_row_step;
    }
}

/* On cores with the DSP extension this one is in assembler. */
#if !defined(__ARM_FEATURE_DSP)

void edgeflow_dsp_plane_finer_neighbours(edgeflow_dsp_plane *plane, const edgeflow_word *values,
                                         int8_t *output)
{
    edgeflow_dsp_plane_finer(plane, 2, values, output);
}

#endif
