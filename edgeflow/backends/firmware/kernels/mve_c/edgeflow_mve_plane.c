/* What edgeflow_mve_plane_rows.S and edgeflow_mve_plane_any.S do, for hosts without MVE. */
#include "edgeflow_mve_plane.h"

#if !defined(__ARM_FEATURE_MVE)

#define VECTOR_BYTES 16

/* The row's outputs, from the one in column 0 on. */
static void one_row(const edgeflow_mve_plane *plane, const int8_t *weights, int32_t taps,
                    int8_t *output)
{
    const edgeflow_mve_outputs to = {plane->zero_point, plane->minimum[0], plane->maximum[0]};
    const int8_t *values = plane->values;
    for (int32_t column = 0; column < plane->columns; column++) {
        uint32_t sum = (uint32_t)plane->bias;
        for (int32_t tap = 0; tap < taps; tap++) {
            sum += (uint32_t)(values[tap] * weights[tap]);
        }
        const int32_t lane = column % 4 == 1 ? 2 : (column % 4 == 2 ? 1 : column % 4);
        output[column / 4 * plane->four_columns + plane->offsets[lane]] =
            edgeflow_mve_rescale((int32_t)sum, plane->multiplier, -plane->minus_shift, &to);
        values += plane->column_step;
    }
}

void edgeflow_mve_plane_1(const edgeflow_mve_plane *plane)
{
    one_row(plane, plane->weights, VECTOR_BYTES, plane->output);
}

void edgeflow_mve_plane_2(const edgeflow_mve_plane *plane)
{
    one_row(plane, plane->weights - plane->row_shift, VECTOR_BYTES, plane->output + plane->row_1);
    edgeflow_mve_plane_1(plane);
}

void edgeflow_mve_plane_3(const edgeflow_mve_plane *plane)
{
    one_row(plane, plane->weights - 2 * plane->row_shift, VECTOR_BYTES,
            plane->output + plane->row_2);
    edgeflow_mve_plane_2(plane);
}

void edgeflow_mve_plane_any(const edgeflow_mve_plane *plane)
{
    one_row(plane, plane->weights, plane->taps, plane->output);
}

#endif
