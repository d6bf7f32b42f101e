/* Depthwise convolutions with 3x3 filters and column strides of 1 and 2. The file that includes this
 * one defines `run_plane`, which scales one channel's sums. */
#include "edgeflow_dsp_depthwise_conv_2d.h"
#include "edgeflow_dsp_strip.h"

static void run_plane(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                      const edgeflow_dsp_strip *strip, edgeflow_dsp_plane *plane,
                      const int8_t *taps, int8_t *output);

static inline int32_t lanes(int32_t low, int32_t high)
{
    return (int32_t)(((uint32_t)high << 16) | ((uint32_t)low & 0xFFFFu));
}

/* One channel whose scale is set. */
static inline void run_plane_3x3(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                                 const edgeflow_dsp_strip *strip, edgeflow_dsp_plane *plane,
                                 const int8_t *taps, int8_t *output)
{
    for (int32_t row = 0; row < 3; row++) {
        plane->weights[2 * row] = lanes(taps[3 * row], taps[3 * row + 1]);
        plane->weights[2 * row + 1] = lanes(taps[3 * row + 1], taps[3 * row + 2]);
    }
    if (layer->columns.stride == 1) {
        edgeflow_dsp_plane_3x3(plane, strip->values, output);
    } else {
        edgeflow_dsp_plane_3x3_step_2(plane, strip->values, output);
    }
}

static inline void depthwise(const edgeflow_dsp_depthwise_conv_2d_layer *layer, const int8_t *input,
                             int8_t *memory, int8_t *output)
{
    edgeflow_word *values = (edgeflow_word *)(void *)memory;
    for (int32_t row = 0; row < layer->rows.output; row += layer->strip_rows) {
        const edgeflow_dsp_strip strip = edgeflow_dsp_strip_at(layer, input, values, row);
        edgeflow_dsp_plane plane = edgeflow_dsp_strip_plane(layer, &strip);
        int8_t *to = output + row * layer->rows.output_step;
        for (int32_t channel = 0; channel < layer->input_channels; channel++) {
            edgeflow_dsp_strip_channel(layer, &strip, channel);
            for (int32_t i = 0; i < layer->multiplier; i++) {
                const int32_t made = channel * layer->multiplier + i;
                edgeflow_dsp_strip_scale(layer, &strip, made, &plane);
                run_plane(layer, &strip, &plane, layer->weights + 9 * made, to + made);
            }
        }
    }
}
