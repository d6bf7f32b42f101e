/* What edgeflow_mve_plane_rows.S and edgeflow_mve_plane_any.S do, for hosts without MVE. */
#include "edgeflow_mve_plane.h"

#if !defined(__ARM_FEATURE_MVE)

/* One channel's row of outputs. */
static void one_row(const edgeflow_mve_plane *plane, int32_t channel, const int8_t *weights,
                    int32_t taps, int8_t *output)
{
    const edgeflow_mve_outputs to = {plane->zero_point, plane->minimum[0], plane->maximum[0]};
    const int32_t *constants = plane->constants + 2 * channel;
    const int8_t *values = plane->values + channel * plane->plane_step;
    for (int32_t column = 0; column < plane->columns; column++) {
        uint32_t sum = (uint32_t)(constants[0] >> 5);
        for (int32_t tap = 0; tap < taps; tap++) {
            sum += (uint32_t)(values[tap] * weights[tap]);
        }
        const int32_t lane = column % 4 == 1 ? 2 : (column % 4 == 2 ? 1 : column % 4);
        output[column / 4 * plane->four_columns + plane->offsets[lane]] =
            edgeflow_mve_rescale((int32_t)sum, constants[1], constants[0] & 31, &to);
        values += plane->column_step;
    }
}

static void rows_of_channels(const edgeflow_mve_plane *plane, int32_t bytes, int32_t rows)
{
    for (int32_t channel = 0; channel < plane->channels; channel++) {
        int8_t *spread = plane->spread + EDGEFLOW_MVE_VECTOR_BYTES;
        for (int32_t tap = 0; tap < plane->taps; tap++) {
            spread[plane->scatter[tap]] = plane->weights[channel * plane->taps + tap];
        }
        for (int32_t row = 0; row < rows; row++) {
            one_row(plane, channel, spread - row * plane->row_shift, bytes,
                    plane->output + channel + row * plane->row_step);
        }
    }
}

void edgeflow_mve_plane_1(const edgeflow_mve_plane *plane)
{
    rows_of_channels(plane, EDGEFLOW_MVE_VECTOR_BYTES, 1);
}

void edgeflow_mve_plane_2(const edgeflow_mve_plane *plane)
{
    rows_of_channels(plane, EDGEFLOW_MVE_VECTOR_BYTES, 2);
}

void edgeflow_mve_plane_3(const edgeflow_mve_plane *plane)
{
    rows_of_channels(plane, EDGEFLOW_MVE_VECTOR_BYTES, 3);
}

void edgeflow_mve_wide_plane_1(const edgeflow_mve_plane *plane)
{
    rows_of_channels(plane, 2 * EDGEFLOW_MVE_VECTOR_BYTES, 1);
}

void edgeflow_mve_wide_plane_2(const edgeflow_mve_plane *plane)
{
    rows_of_channels(plane, 2 * EDGEFLOW_MVE_VECTOR_BYTES, 2);
}

void edgeflow_mve_plane_any(const edgeflow_mve_plane *plane)
{
    for (int32_t channel = 0; channel < plane->channels; channel++) {
        one_row(plane, channel, plane->weights + channel * plane->taps, plane->taps,
                plane->output + channel);
    }
}

#endif
