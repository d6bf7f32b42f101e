#include "edgeflow_fixed_point.h"
#include "edgeflow_taps.h"
#include "edgeflow_wide_pool_2d.h"

#define TOGETHER 64

/* sum / count, rounded to nearest, ties away from zero. */
static int32_t rounded_mean(int32_t sum, int32_t count)
{
    return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

/* Up to TOGETHER channels of one window, whose first element inside the input is `window`. */
static void average(const edgeflow_pool_2d_layer *layer, const int8_t *window, int32_t rows,
                    int32_t columns, int32_t channels, int8_t *output)
{
    int32_t sums[TOGETHER] = {0};
    for (int32_t row = 0; row < rows; row++) {
        for (int32_t column = 0; column < columns; column++) {
            const int8_t *pixel = window + (row * layer->input_width + column) * layer->channels;
            for (int32_t channel = 0; channel < channels; channel++) {
                sums[channel] += pixel[channel];
            }
        }
    }
    for (int32_t channel = 0; channel < channels; channel++) {
        const int32_t mean = rounded_mean(sums[channel], rows * columns);
        output[channel] = (int8_t)edgeflow_clamp(mean, layer->minimum, layer->maximum);
    }
}

void edgeflow_wide_average_pool_2d(const edgeflow_pool_2d_layer *layer, const int8_t *input,
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
                average(layer, input + pixel * layer->channels + channel, rows.count, columns.count,
                        rest < TOGETHER ? rest : TOGETHER, output + channel);
            }
            output += layer->channels;
        }
    }
}
