/* One channel of a depthwise convolution over a plane of int16 values.
 *
 * The plane holds rows of one channel of the input, padding included, at a pitch. Its columns are
 * the image's columns or its rows, whichever wastes fewer lanes.
 */
#ifndef EDGEFLOW_DSP_PLANE_H
#define EDGEFLOW_DSP_PLANE_H

#include <stdint.h>

#include "edgeflow_dsp.h"

/* Steps are in bytes. The assembler knows the offsets. */
typedef struct {
    int32_t weights[6]; /* 3x3 alone: of each row the lanes (w0, w1), then (w1, w2) */
    int32_t bias;       /* with the input zero point folded in */
    edgeflow_dsp_scale to;
    int32_t output_step;     /* to the next column */
    int32_t output_row_step; /* to the next row */
    int32_t columns;         /* outputs in a row */
    int32_t rows;            /* of outputs; counted down */
    int32_t pitch;           /* of the plane */
    int32_t row_step;        /* in the plane, from an output row to the next */
    const edgeflow_word *filter; /* not 3x3: taps as lanes, rows that are odd end in a zero */
    int32_t filter_words;        /* of a row */
    int32_t filter_rows;
    int32_t working_memory[6];
} edgeflow_dsp_plane;

/* 3x3 filters; rows of the plane end in room for four columns at a time. */
void edgeflow_dsp_plane_3x3(edgeflow_dsp_plane *plane, const edgeflow_word *values,
                            int8_t *output);

/* The same with steps of two columns. */
void edgeflow_dsp_plane_3x3_step_2(edgeflow_dsp_plane *plane, const edgeflow_word *values,
                                   int8_t *output);

/* Filters of any size; outputs lie one column apart. */
void edgeflow_dsp_plane_neighbours(edgeflow_dsp_plane *plane, const edgeflow_word *values,
                                   int8_t *output);

/* Filters of any size; outputs lie `column_bytes` apart in the plane. */
void edgeflow_dsp_plane_any(const edgeflow_dsp_plane *plane, int32_t column_bytes,
                            const edgeflow_word *values, int8_t *output);

/* The last two for scales of 1/2 and more, with sums below 2^22: the shift to the right, and with it
 * the base, has EDGEFLOW_DSP_FINER added; see edgeflow_dsp_narrow_rescale. */
#define EDGEFLOW_DSP_FINER 8
void edgeflow_dsp_plane_finer(const edgeflow_dsp_plane *plane, int32_t column_bytes,
                              const edgeflow_word *values, int8_t *output);
void edgeflow_dsp_plane_finer_neighbours(edgeflow_dsp_plane *plane, const edgeflow_word *values,
                                         int8_t *output);

#endif
