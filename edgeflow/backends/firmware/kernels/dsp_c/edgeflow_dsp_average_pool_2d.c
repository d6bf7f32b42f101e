#include "edgeflow_dsp_pool_2d.h"

#include "edgeflow_dsp_window.h"
#include "edgeflow_fixed_point.h"

/* sum / count, rounded to nearest, ties away from zero. */
static int32_t rounded_mean(int32_t sum, int32_t count)
{
    return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

static void average(const edgeflow_pool_2d_layer *layer, const edgeflow_dsp_window *window,
                    int8_t *output)
{
    const int32_t count = window->rows * window->columns;
    int32_t channel = 0;
    while (channel < layer->channels) {
        int32_t sums[4];
        edgeflow_dsp_window_sums(window, channel, sums);
        for (int32_t i = 0; i < 4; i++) {
            const int32_t mean = rounded_mean(sums[i], count);
            output[channel + i] = (int8_t)edgeflow_clamp(mean, layer->minimum, layer->maximum);
        }
        channel = edgeflow_dsp_next_four(channel, layer->channels);
    }
}

void edgeflow_dsp_average_pool_2d(const edgeflow_pool_2d_layer *layer, const int8_t *input,
                                  int8_t *output)
{
    for (int32_t y = 0; y < layer->output_height; y++) {
        for (int32_t x = 0; x < layer->output_width; x++) {
            const edgeflow_dsp_window window = edgeflow_dsp_window_at(layer, input, y, x);
            average(layer, &window, output);
            output += layer->channels;
        }
    }
}
