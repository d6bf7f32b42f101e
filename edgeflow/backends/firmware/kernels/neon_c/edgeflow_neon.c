#include "edgeflow_neon.h"

#include <string.h>

static int8_t *fill(int32_t bytes, int32_t value, int8_t *copy)
{
    memset(copy, value, (size_t)bytes);
    return copy + bytes;
}

void edgeflow_neon_copy(const edgeflow_neon_margin *image, const int8_t *input, int8_t *copy)
{
    const int32_t whole = image->left + image->row_bytes + image->right;
    copy = fill(image->above * whole, image->value, copy);
    for (int32_t row = 0; row < image->rows; row++) {
        copy = fill(image->left, image->value, copy);
        memcpy(copy, input + row * image->row_bytes, (size_t)image->row_bytes);
        copy = fill(image->right, image->value, copy + image->row_bytes);
    }
    fill(image->below * whole, image->value, copy);
}
