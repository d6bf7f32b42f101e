#include "edgeflow_mve_depthwise_conv_2d.h"

#include "edgeflow_mve_copy.h"

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

/* What all channels share. `spread` is filled with zeros. */
static edgeflow_mve_plane plane_of(const edgeflow_mve_depthwise_conv_2d_layer *layer,
                                   int8_t *spread)
{
    static const int32_t tail_lanes[4] = {0, 0x000F, 0x0F0F, 0x0FFF};
    const int32_t step = layer->columns.output_step;
    const int32_t low = layer->to.minimum;
    const int32_t high = layer->to.maximum;
    edgeflow_mve_plane plane = {
        .columns = layer->columns.output,
        .tail_lanes = tail_lanes[layer->columns.output & 3],
        .column_step = layer->columns.stride * layer->plane_rows,
        .zero_point = layer->to.zero_point,
        .four_columns = 4 * step,
        .row_step = layer->rows.output_step,
        .taps = layer->rows.filter * layer->columns.filter,
        .row_shift = layer->rows.stride,
        .spread = spread,
        .offsets = {0, 2 * step, step, 3 * step},
        .minimum = {low, low, low, low},
        .maximum = {high, high, high, high},
    };
    if (layer->strip_outputs != edgeflow_mve_plane_any) {
        for (int32_t tap = 0; tap < plane.taps; tap++) {
            const int32_t column = tap / layer->rows.filter;
            const int32_t row = tap % layer->rows.filter;
            plane.scatter[tap] = (uint8_t)(column * layer->plane_rows + row);
        }
    }
    return plane;
}

/* The strips of `rows` output rows, whose planes are filled, `planes_step` bytes apart. */
static void outputs_of_strips(const edgeflow_mve_depthwise_conv_2d_layer *layer,
                              edgeflow_mve_plane plane, int32_t rows, int32_t planes_step)
{
    for (; rows > layer->strip_rows; rows -= layer->strip_rows) {
        layer->strip_outputs(&plane);
        plane.output += layer->strip_rows * layer->rows.output_step;
        plane.values += planes_step;
    }
    if (rows == layer->strip_rows) {
        layer->strip_outputs(&plane);
    } else {
        layer->last_outputs(&plane);
    }
}

void edgeflow_mve_depthwise_conv_2d(const edgeflow_mve_depthwise_conv_2d_layer *layer,
                                    const int8_t *input, int8_t *planes, int8_t *output)
{
    int8_t spread[3 * EDGEFLOW_MVE_VECTOR_BYTES] = {0};
    edgeflow_mve_plane plane = plane_of(layer, spread);
    const int32_t most = smaller(layer->input_channels, EDGEFLOW_MVE_PLANES);
    const int32_t plane_bytes = layer->plane_rows * layer->plane_columns;
    const int32_t rows = layer->strips * layer->strip_rows;
    for (int32_t first = 0; first < layer->rows.output; first += rows) {
        const int32_t end = smaller(first + rows, layer->rows.output);
        edgeflow_mve_fill(planes, layer->input_zero_point,
                          layer->strips * most * plane_bytes + 2 * EDGEFLOW_MVE_VECTOR_BYTES);
        plane.weights = layer->weights;
        plane.constants = layer->constants;
        plane.output = output + first * layer->rows.output_step;
        for (int32_t channel = 0; channel < layer->input_channels; channel += most) {
            const block at = {smaller(most, layer->input_channels - channel), plane_bytes};
            int8_t *filled = planes;
            for (int32_t row = first; row < end; row += layer->strip_rows) {
                fill_planes(layer, &at, input + channel, row, filled);
                filled += most * plane_bytes;
            }
            /* With several outputs of a channel, the channels go one by one. */
            const int32_t together = layer->multiplier == 1 ? at.channels : 1;
            plane.channels = together * layer->multiplier;
            plane.plane_step = layer->multiplier == 1 ? plane_bytes : 0;
            for (int32_t i = 0; i < at.channels; i += together) {
                plane.values = planes + i * plane_bytes;
                outputs_of_strips(layer, plane, end - first, most * plane_bytes);
                plane.weights += plane.channels * plane.taps;
                plane.constants += 2 * plane.channels;
                plane.output += plane.channels;
            }
        }
    }
}
