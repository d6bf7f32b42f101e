/* Gathers the filter columns of a convolution's pixels: [column][row][channel]. */
#ifndef EDGEFLOW_MVE_COLUMNS_H
#define EDGEFLOW_MVE_COLUMNS_H

#include "edgeflow_mve_conv_2d.h"

/* The rows of the input that a filter reads. Where several columns fit a vector, they are copied
 * together: `together` of them, byte i to `scatter[i]`. */
typedef struct {
    const int8_t *input;
    int32_t top;
    int32_t together;
    uint8_t scatter[EDGEFLOW_MVE_VECTOR_BYTES];
} edgeflow_mve_columns;

edgeflow_mve_columns edgeflow_mve_columns_of(const edgeflow_mve_conv_2d_layer *layer,
                                             const int8_t *input);

/* `count` neighbouring columns from `first` on, some of which may lie in the padding. */
void edgeflow_mve_gather_columns(const edgeflow_mve_conv_2d_layer *layer,
                                 const edgeflow_mve_columns *columns, int32_t first,
                                 int32_t count, int8_t *to);

#endif
