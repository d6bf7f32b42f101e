#include <string.h>

#include "edgeflow_taps.h"
#include "edgeflow_wide_pool_2d.h"

#define TOGETHER 64

/* Up to TOGETHER channels of one window; the smallest output is where the search begins. */
static void maximum(const edgeflow_pool_2d_layer *layer, const int8_t *window, int32_t rows,
                    int32_t columns, int32_t channels, int8_t *output)
{
    const int8_t most = (int8_t)layer->maximum;
    int8_t largest[TOGETHER];
    memset(largest, layer->minimum, sizeof largest);
    for (int32_t row = 0; row < rows; row++) {
        for (int32_t column = 0; column < columns; column++) {
            const int8_t *pixel = window + (row * layer->input_width + column) * layer->channels;
            for (int32_t channel = 0; channel < channels; channel++) {
                const int8_t value = pixel[channel];
                largest[channel] = value > largest[channel] ? value : largest[channel];
            }
        }
    }
    for (int32_t channel = 0; channel < channels; channel++) {
        output[channel] = largest[channel] < most ? largest[channel] : most;
    }
}

void edgeflow_wide_max_pool_2d(const edgeflow_pool_2d_layer *layer, const int8_t *input,
                              int8_t *output)
{
    for (int32_t y = 0; y < layer->output_height; y++) {
        const int32_t top = y * layer->stride_height - layer->pad_top;
        const edgeflow_taps rows =
            edgeflow_taps_inside(top, 1, layer->filter_height, layer->input_height);
        for (int32_t x = 0; x < layer->output_width; x++) {
            const int32_t left = x * layer->stride_width - layer->pad_left;
            const edgeflow_taps columns =
                edgeflow_taps_inside(left, 1, layer->filter_width, layer->input_width);
            const int32_t pixel = (top + rows.first) * layer->input_width + left + columns.first;
            for (int32_t channel = 0; channel < layer->channels; channel += TOGETHER) {
                const int32_t rest = layer->channels - channel;
                maximum(layer, input + pixel * layer->channels + channel, rows.count, columns.count,
                        rest < TOGETHER ? rest : TOGETHER, output + channel);
            }
            output += layer->channels;
        }
    }
}
