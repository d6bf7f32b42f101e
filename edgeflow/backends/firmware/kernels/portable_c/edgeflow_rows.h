/* Tensors of which only some rows are in RAM, between layers that run row by row. */
#ifndef EDGEFLOW_ROWS_H
#define EDGEFLOW_ROWS_H

#include <stdint.h>

typedef struct {
    int8_t *memory; /* where row `first` lies */
    int32_t row_bytes;
    int32_t room; /* rows that fit */
    int32_t first;
} edgeflow_rows;

/* `bytes` bytes to a lower address; the two places may overlap. */
void edgeflow_move_down(int8_t *to, const int8_t *from, int32_t bytes);

static inline int32_t edgeflow_smaller(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static inline int32_t edgeflow_not_negative(int32_t value)
{
    return value < 0 ? 0 : value;
}

static inline int8_t *edgeflow_row(const edgeflow_rows *tensor, int32_t row)
{
    return tensor->memory + (row - tensor->first) * tensor->row_bytes;
}

/* Where rows `row` to `row` + `count` - 1 are to be written, the first ones that do not exist yet.
 * Rows below `keep` are no longer needed; the others move to the start where the room ends. */
static inline int8_t *edgeflow_next_rows(edgeflow_rows *tensor, int32_t keep, int32_t row,
                                         int32_t count)
{
    if (row + count - tensor->first > tensor->room) {
        edgeflow_move_down(tensor->memory, edgeflow_row(tensor, keep),
                           (row - keep) * tensor->row_bytes);
        tensor->first = keep;
    }
    return edgeflow_row(tensor, row);
}

#endif
