/* One channel of a depthwise convolution over a plane of int8 values.
 *
 * The plane holds one channel of some rows of the input, padding included, column by column, so
 * that what an output reads is one run of bytes. Its columns are the image's columns or its rows,
 * whichever wastes fewer lanes.
 */
#ifndef EDGEFLOW_MVE_PLANE_H
#define EDGEFLOW_MVE_PLANE_H

#include <stdint.h>

#include "edgeflow_mve.h"

/* Steps are in bytes. Lanes of a vector are columns 0, 2, 1, 3 of four. The assembler knows the
 * offsets. */
typedef struct {
    int32_t columns;     /* of outputs */
    int32_t tail_lanes;  /* VPR bits of the lanes that the last columns & 3 outputs take */
    int32_t column_step; /* of the plane, from an output to the next */
    int32_t zero_point;
    int32_t four_columns; /* of the output, from an output to that four columns further on */
    int32_t row_1;        /* of the output, from row 0; a row that does not exist lies on the */
    int32_t row_2;        /* last that does, which is written after it */
    int32_t taps;
    int32_t row_shift; /* of the weights from one row of outputs to the next */
    int32_t offsets[4]; /* of the output, by lanes */
    int32_t minimum[4];
    int32_t maximum[4];
    const int8_t *weights; /* what belongs to a channel starts here */
    const int8_t *values;
    int32_t bias; /* the input zero point folded in */
    int32_t multiplier;
    int32_t minus_shift; /* VRSHL shifts to the right by negative numbers */
    int8_t *output;
} edgeflow_mve_plane;

/* One, two or three rows of outputs whose columns of the plane are at most 16 bytes: 16 weights,
 * zeros between them where rows do not belong to the filter; 16 bytes beyond the last column's
 * start are read. For the next row of outputs the weights lie `row_shift` bytes further on, so
 * that 32 bytes are read from `weights` - 2 * `row_shift` on. */
void edgeflow_mve_plane_1(const edgeflow_mve_plane *plane);
void edgeflow_mve_plane_2(const edgeflow_mve_plane *plane);
void edgeflow_mve_plane_3(const edgeflow_mve_plane *plane);

/* One row of outputs, any number of taps without zeros between them. */
void edgeflow_mve_plane_any(const edgeflow_mve_plane *plane);

#endif
