#include "edgeflow_dsp_depthwise_conv_2d.h"
#include "edgeflow_dsp_strip.h"

static int32_t lanes(int32_t low, int32_t high)
{
    return (int32_t)(((uint32_t)high << 16) | ((uint32_t)low & 0xFFFFu));
}

static void convolve(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                     const edgeflow_dsp_strip *strip, edgeflow_dsp_plane *plane, int32_t channel,
                     int8_t *output)
{
    const int8_t *taps = layer->weights + 9 * channel;
    for (int32_t row = 0; row < 3; row++) {
        plane->weights[2 * row] = lanes(taps[3 * row], taps[3 * row + 1]);
        plane->weights[2 * row + 1] = lanes(taps[3 * row + 1], taps[3 * row + 2]);
    }
    edgeflow_dsp_strip_scale(layer, strip, channel, plane);
    if (layer->columns.stride == 1) {
        edgeflow_dsp_plane_3x3(plane, strip->values, output + channel);
    } else {
        edgeflow_dsp_plane_3x3_step_2(plane, strip->values, output + channel);
    }
}

void edgeflow_dsp_depthwise_conv_2d_3x3(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                                        const int8_t *input, int8_t *memory, int8_t *output)
{
    edgeflow_word *values = (edgeflow_word *)(void *)memory;
    for (int32_t row = 0; row < layer->rows.output; row += layer->strip_rows) {
        const edgeflow_dsp_strip strip = edgeflow_dsp_strip_at(layer, input, values, row);
        edgeflow_dsp_plane plane = edgeflow_dsp_strip_plane(layer, &strip);
        int8_t *to = output + row * layer->rows.output_step;
        for (int32_t channel = 0; channel < layer->input_channels; channel++) {
            edgeflow_dsp_strip_channel(layer, &strip, channel);
            for (int32_t i = 0; i < layer->multiplier; i++) {
                convolve(layer, &strip, &plane, channel * layer->multiplier + i, to);
            }
        }
    }
}
