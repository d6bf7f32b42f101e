/* Neighbouring channels of a depthwise convolution, each over a plane of int8 values.
 *
 * A plane holds one channel of some rows of the input, padding included, column by column, so that
 * what an output reads is one run of bytes. Its columns are the image's columns or its rows,
 * whichever wastes fewer lanes.
 */
#ifndef EDGEFLOW_MVE_PLANE_H
#define EDGEFLOW_MVE_PLANE_H

#include <stdint.h>

#include "edgeflow_mve.h"

/* Steps are in bytes. Lanes of a vector are columns 0, 2, 1, 3 of four. Constants: of each channel
 * 32 * bias + shift, the bias with the input zero point folded in, and the multiplier. The assembler
 * knows the offsets. */
typedef struct {
    int32_t columns;      /* of outputs */
    int32_t tail_lanes;   /* VPR bits of the lanes that the last columns & 3 outputs take */
    int32_t column_step;  /* of the plane, from an output to the next */
    int32_t zero_point;   /* of the output */
    int32_t four_columns; /* of the output, from an output to that four columns further on */
    int32_t row_step;     /* of the output */
    int32_t channels;
    int32_t taps;         /* of a channel's weights */
    int32_t plane_step;   /* from a channel's values to the next one's */
    int32_t row_shift;    /* of spread weights, from one row of outputs to the next */
    int8_t *spread;       /* see edgeflow_mve_plane_1 */
    const int8_t *weights;
    const int8_t *values;
    const int32_t *constants;
    int8_t *output;
    int32_t offsets[4]; /* of the output, by lanes */
    int32_t minimum[4];
    int32_t maximum[4];
    uint8_t scatter[2 * EDGEFLOW_MVE_VECTOR_BYTES]; /* where the taps go in `spread` */
} edgeflow_mve_plane;

/* Rows of outputs whose columns of the plane are at most 16 bytes: one, two or three rows. Spread
 * weights have zeros between the filter's columns, where a plane has more rows than the filter; for
 * the next row of outputs they are the same, `row_shift` bytes further on. `spread` is working memory
 * of 48 bytes, of which only the taps, from byte 16 on, are not zero. 16 bytes from each of the
 * columns' starts are read, and the last four columns are whole. */
void edgeflow_mve_plane_1(const edgeflow_mve_plane *plane);
void edgeflow_mve_plane_2(const edgeflow_mve_plane *plane);
void edgeflow_mve_plane_3(const edgeflow_mve_plane *plane);

/* The same for columns of at most 32 bytes: one or two rows. */
void edgeflow_mve_wide_plane_1(const edgeflow_mve_plane *plane);
void edgeflow_mve_wide_plane_2(const edgeflow_mve_plane *plane);

/* One row of outputs, any number of taps, the weights not spread. */
void edgeflow_mve_plane_any(const edgeflow_mve_plane *plane);

#endif
