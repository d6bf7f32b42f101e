/* Depthwise convolutions with filters of any size. The file that includes this one defines
 * `run_plane`, which scales one channel's sums. */
#include "edgeflow_dsp_depthwise_conv_2d.h"
#include "edgeflow_dsp_strip.h"

static void run_plane(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                      const edgeflow_dsp_strip *strip, edgeflow_dsp_plane *plane, int32_t channel,
                      int8_t *output);

/* One channel's taps as words, row by row. */
static void widen_filter(const edgeflow_dsp_depthwise_conv_2d_layer *layer, const int8_t *taps,
                         edgeflow_word *words)
{
    const int32_t columns = layer->columns.filter;
    for (int32_t row = 0; row < layer->rows.filter; row++) {
        for (int32_t column = 0; column < columns; column += 2) {
            const int32_t high = column + 1 < columns ? taps[column + 1] : 0;
            *words++ = (int32_t)(((uint32_t)high << 16) | ((uint32_t)taps[column] & 0xFFFFu));
        }
        taps += columns;
    }
}

static void convolve(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                     const edgeflow_dsp_strip *strip, edgeflow_dsp_plane *plane, int32_t channel,
                     edgeflow_word *words, int8_t *output)
{
    widen_filter(layer, layer->weights + layer->rows.filter * layer->columns.filter * channel,
                 words);
    plane->filter = words;
    plane->filter_words = (layer->columns.filter + 1) / 2;
    plane->filter_rows = layer->rows.filter;
    run_plane(layer, strip, plane, channel, output + channel);
}

static inline void depthwise(const edgeflow_dsp_depthwise_conv_2d_layer *layer, const int8_t *input,
                             int8_t *memory, int8_t *output)
{
    edgeflow_word *values = (edgeflow_word *)(void *)memory;
    edgeflow_word *words = values + layer->plane_rows * layer->plane_pitch / 2;
    for (int32_t row = 0; row < layer->rows.output; row += layer->strip_rows) {
        const edgeflow_dsp_strip strip = edgeflow_dsp_strip_at(layer, input, values, row);
        edgeflow_dsp_plane plane = edgeflow_dsp_strip_plane(layer, &strip);
        int8_t *to = output + row * layer->rows.output_step;
        for (int32_t channel = 0; channel < layer->input_channels; channel++) {
            edgeflow_dsp_strip_channel(layer, &strip, channel);
            for (int32_t i = 0; i < layer->multiplier; i++) {
                convolve(layer, &strip, &plane, channel * layer->multiplier + i, words, to);
            }
        }
    }
}
