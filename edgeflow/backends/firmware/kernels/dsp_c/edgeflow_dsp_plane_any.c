#include "edgeflow_dsp_plane.h"

/* Four outputs share each load of weights; `at` is where the first one's taps begin. */
static void four_sums(const edgeflow_dsp_plane *plane, const int8_t *at, int32_t column_bytes,
                      int32_t *sums)
{
    const edgeflow_word *weights = plane->filter;
    int32_t a = sums[0];
    int32_t b = sums[1];
    int32_t c = sums[2];
    int32_t d = sums[3];
    for (int32_t row = plane->filter_rows; row > 0; row--) {
        const int8_t *x = at;
        for (int32_t word = plane->filter_words; word > 0; word--) {
            const int32_t lanes = *weights++;
            a = edgeflow_dot_lanes(edgeflow_load_word(x), lanes, a);
            b = edgeflow_dot_lanes(edgeflow_load_word(x + column_bytes), lanes, b);
            c = edgeflow_dot_lanes(edgeflow_load_word(x + 2 * column_bytes), lanes, c);
            d = edgeflow_dot_lanes(edgeflow_load_word(x + 3 * column_bytes), lanes, d);
            x += 4;
        }
        at += plane->pitch;
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}

void edgeflow_dsp_plane_any(const edgeflow_dsp_plane *plane, int32_t column_bytes,
                            const edgeflow_word *values, int8_t *output)
{
    const int8_t *row = (const int8_t *)values;
    for (int32_t y = 0; y < plane->rows; y++) {
        const int8_t *at = row;
        int8_t *to = output;
        for (int32_t x = plane->columns; x > 0; x -= 4) {
            int32_t sums[4] = {plane->bias, plane->bias, plane->bias, plane->bias};
            four_sums(plane, at, column_bytes, sums);
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
