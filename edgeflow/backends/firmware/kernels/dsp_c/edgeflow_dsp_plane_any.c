#include "edgeflow_dsp_plane_sums.h"

void edgeflow_dsp_plane_any(const edgeflow_dsp_plane *plane, int32_t column_bytes,
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
                *to = (int8_t)edgeflow_dsp_rescale(sums[i], &plane->to);
                to += plane->output_step;
            }
            at += 4 * column_bytes;
        }
        row += plane->row_step;
        output += plane->output_row_step;
    }
}
