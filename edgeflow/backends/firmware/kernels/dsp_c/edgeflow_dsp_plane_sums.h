/* Four sums of a filter of any size over a plane. */
#ifndef EDGEFLOW_DSP_PLANE_SUMS_H
#define EDGEFLOW_DSP_PLANE_SUMS_H

#include <stdint.h>

#include "edgeflow_dsp_plane.h"

/* Four outputs share each load of weights; `at` is where the first one's taps begin. */
static inline void edgeflow_dsp_plane_sums(const edgeflow_dsp_plane *plane, const int8_t *at,
                                           int32_t column_bytes, int32_t *sums)
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

#endif
