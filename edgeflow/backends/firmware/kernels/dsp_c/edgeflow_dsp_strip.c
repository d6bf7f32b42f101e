#include "edgeflow_dsp_strip.h"

static int32_t smaller(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static int32_t not_negative(int32_t value)
{
    return value < 0 ? 0 : value;
}

edgeflow_dsp_strip edgeflow_dsp_strip_at(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                                         const int8_t *input, edgeflow_word *values, int32_t first)
{
    const edgeflow_dsp_axis *rows = &layer->rows;
    const int32_t top = first * rows->stride - rows->pad;
    const int32_t begin = not_negative(top);
    const int32_t end = smaller(top + layer->plane_rows, rows->input);
    const int32_t columns =
        smaller(layer->columns.input, layer->plane_pitch - layer->columns.pad);
    const edgeflow_dsp_strip strip = {
        first,  smaller(layer->strip_rows, rows->output - first),
        input + begin * rows->input_step,
        values, begin - top,
        not_negative(end - begin),
        not_negative(columns),
    };
    const int32_t zero_points = edgeflow_both_lanes(layer->input_zero_point);
    for (int32_t i = layer->plane_rows * layer->plane_pitch / 2; i > 0; i--) {
        *values++ = zero_points;
    }
    return strip;
}

typedef int16_t __attribute__((may_alias)) half_word;

void edgeflow_dsp_strip_channel(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                                const edgeflow_dsp_strip *strip, int32_t channel)
{
    const int32_t step = layer->columns.input_step;
    const int32_t row_step = layer->rows.input_step;
    const int32_t pitch = layer->plane_pitch;
    const int32_t columns = strip->inside_columns;
    const int8_t *row = strip->input + channel;
    half_word *to_row = (half_word *)(void *)strip->values + strip->row * pitch +
                        layer->columns.pad;
    for (int32_t y = strip->inside_rows; y > 0; y--) {
        const int8_t *from = row;
        half_word *to = to_row;
        int32_t x = columns;
        for (; x >= 4; x -= 4) {
            to[0] = from[0];
            to[1] = from[step];
            to[2] = from[2 * step];
            to[3] = from[3 * step];
            from += 4 * step;
            to += 4;
        }
        for (; x > 0; x--) {
            *to++ = *from;
            from += step;
        }
        row += row_step;
        to_row += pitch;
    }
}

edgeflow_dsp_plane edgeflow_dsp_strip_plane(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                                            const edgeflow_dsp_strip *strip)
{
    const edgeflow_dsp_plane plane = {
        .output_step = layer->columns.output_step,
        .output_row_step = layer->rows.output_step,
        .columns = layer->columns.output,
        .rows = strip->rows,
        .pitch = 2 * layer->plane_pitch,
        .row_step = 2 * layer->plane_pitch * layer->rows.stride,
    };
    return plane;
}

void edgeflow_dsp_strip_scale(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                              const edgeflow_dsp_strip *strip, int32_t channel,
                              edgeflow_dsp_plane *plane)
{
    const int32_t *constants = layer->channels + 2 * channel;
    const int32_t shift = constants[0] & 31;
    plane->bias = constants[0] >> 5;
    plane->to.multiplier = constants[1];
    plane->to.base = layer->base * ((int32_t)1 << (shift - 1));
    plane->to.shift = shift;
    plane->rows = strip->rows;
}
