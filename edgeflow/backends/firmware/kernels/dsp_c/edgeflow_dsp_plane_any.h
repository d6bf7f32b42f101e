/* One channel of a depthwise convolution with a filter of any size. */
#ifndef EDGEFLOW_DSP_PLANE_ANY_H
#define EDGEFLOW_DSP_PLANE_ANY_H

#include <stdint.h>

#include "edgeflow_dsp_plane.h"

/* Taps as int16; the last word of a row ends in a zero where the taps are odd. */
typedef struct {
    const edgeflow_word *words;
    int32_t words_in_row;
    int32_t rows;
} edgeflow_dsp_filter;

/* Outputs are `column_bytes` apart in the plane, whose rows end in room for four at a time. */
void edgeflow_dsp_plane_any(const edgeflow_dsp_plane *plane, const edgeflow_dsp_filter *filter,
                            int32_t column_bytes, const edgeflow_word *values, int8_t *output);

#endif
