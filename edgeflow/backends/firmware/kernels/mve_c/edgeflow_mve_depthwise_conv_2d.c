#include "edgeflow_mve_depthwise_conv_2d.h"

#include "edgeflow_mve_copy.h"

#define VECTOR_BYTES 16

/* Up to EDGEFLOW_MVE_PLANES neighbouring channels of one strip, each with a plane of its own. */
typedef struct {
    int32_t channels;
    int32_t plane_bytes;
} block;

static inline int32_t smaller(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* One row of the input into row `to` of the planes, `pixels` columns. */
static void fill_row(const block *at, const int8_t *from, int32_t from_step, int8_t *to,
                     int32_t to_step, int32_t pixels)
{
#if defined(__ARM_FEATURE_MVE)
    const uint16x8_t planes = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)at->plane_bytes);
    const uint8_t *source = (const uint8_t *)from;
    uint8_t *target = (uint8_t *)to;
    if (at->channels == EDGEFLOW_MVE_PLANES) {
        for (; pixels > 0; pixels--) {
            vstrbq_scatter_offset_u16(target, planes, vldrbq_u16(source));
            source += from_step;
            target += to_step;
        }
        return;
    }
    const mve_pred16_t valid = vctp16q((uint32_t)at->channels);
    for (; pixels > 0; pixels--) {
        vstrbq_scatter_offset_p_u16(target, planes, vldrbq_z_u16(source, valid), valid);
        source += from_step;
        target += to_step;
    }
#else
    for (; pixels > 0; pixels--) {
        for (int32_t channel = 0; channel < at->channels; channel++) {
            to[channel * at->plane_bytes] = from[channel];
        }
        from += from_step;
        to += to_step;
    }
#endif
}

/* The planes of the strip that starts at output row `first`; padding keeps what is there. */
static void fill_planes(const edgeflow_mve_depthwise_conv_2d_layer *layer, const block *at,
                        const int8_t *input, int32_t first, int8_t *planes)
{
    const edgeflow_mve_axis *columns = &layer->columns;
    const int32_t top = first * layer->rows.stride - layer->rows.pad;
    const int32_t pixels = smaller(columns->input, layer->plane_columns - columns->pad);
    for (int32_t row = 0; row < layer->plane_rows; row++) {
        const int32_t y = top + row;
        if (y >= 0 && y < layer->rows.input) {
            fill_row(at, input + y * layer->rows.input_step, columns->input_step,
                     planes + columns->pad * layer->plane_rows + row, layer->plane_rows, pixels);
        }
    }
}

/* A channel's weights with a gap after each column, where a plane has more rows than the filter. */
static void spread_weights(const edgeflow_mve_depthwise_conv_2d_layer *layer, const int8_t *from,
                           int8_t *to)
{
    for (int32_t column = 0; column < layer->columns.filter; column++) {
        for (int32_t row = 0; row < layer->rows.filter; row++) {
            to[row] = *from++;
        }
        to += layer->plane_rows;
    }
}

/* What all channels share. */
static edgeflow_mve_plane plane_of(const edgeflow_mve_depthwise_conv_2d_layer *layer)
{
    static const int32_t tail_lanes[4] = {0, 0x000F, 0x0F0F, 0x0FFF};
    const int32_t step = layer->columns.output_step;
    const int32_t low = layer->to.minimum;
    const int32_t high = layer->to.maximum;
    const edgeflow_mve_plane plane = {
        .columns = layer->columns.output,
        .tail_lanes = tail_lanes[layer->columns.output & 3],
        .column_step = layer->columns.stride * layer->plane_rows,
        .zero_point = layer->to.zero_point,
        .four_columns = 4 * step,
        .taps = layer->rows.filter * layer->columns.filter,
        .row_shift = layer->rows.stride,
        .offsets = {0, 2 * step, step, 3 * step},
        .minimum = {low, low, low, low},
        .maximum = {high, high, high, high},
    };
    return plane;
}

/* One output channel in all strips whose planes are filled. */
static void strips(const edgeflow_mve_depthwise_conv_2d_layer *layer, edgeflow_mve_plane *plane,
                   int32_t first, int32_t planes_step, int8_t *output)
{
    const int32_t row_step = layer->rows.output_step;
    const int32_t end = smaller(first + layer->strips * layer->strip_rows, layer->rows.output);
    for (int32_t row = first; row < end; row += layer->strip_rows) {
        plane->row_1 = row + 1 < end ? row_step : 0;
        plane->row_2 = row + 2 < end ? 2 * row_step : plane->row_1;
        plane->output = output + row * row_step;
        layer->outputs(plane);
        plane->values += planes_step;
    }
}

void edgeflow_mve_depthwise_conv_2d(const edgeflow_mve_depthwise_conv_2d_layer *layer,
                                    const int8_t *input, int8_t *planes, int8_t *output)
{
    edgeflow_mve_plane plane = plane_of(layer);
    const int32_t most = smaller(layer->input_channels, EDGEFLOW_MVE_PLANES);
    const int32_t planes_bytes = most * layer->plane_rows * layer->plane_columns;
    const int32_t rows = layer->strips * layer->strip_rows;
    int8_t spread[2 * VECTOR_BYTES] = {0};
    for (int32_t first = 0; first < layer->rows.output; first += rows) {
        const int32_t end = smaller(first + rows, layer->rows.output);
        edgeflow_mve_fill(planes, layer->input_zero_point,
                          layer->strips * planes_bytes + VECTOR_BYTES);
        for (int32_t channel = 0; channel < layer->input_channels; channel += most) {
            const block at = {smaller(most, layer->input_channels - channel),
                              layer->plane_rows * layer->plane_columns};
            int8_t *filled = planes;
            for (int32_t row = first; row < end; row += layer->strip_rows) {
                fill_planes(layer, &at, input + channel, row, filled);
                filled += planes_bytes;
            }
            const int32_t outputs = at.channels * layer->multiplier;
            for (int32_t i = 0; i < outputs; i++) {
                const int32_t o = channel * layer->multiplier + i;
                plane.weights = layer->weights + o * plane.taps;
                if (layer->outputs != edgeflow_mve_plane_any) {
                    spread_weights(layer, plane.weights, spread + VECTOR_BYTES);
                    plane.weights = spread + VECTOR_BYTES;
                }
                plane.bias = layer->constants[2 * o];
                plane.multiplier = layer->constants[2 * o + 1];
                plane.minus_shift = -layer->shifts[o];
                plane.values = planes + i / layer->multiplier * at.plane_bytes;
                strips(layer, &plane, first, planes_bytes, output + o);
            }
        }
    }
}
