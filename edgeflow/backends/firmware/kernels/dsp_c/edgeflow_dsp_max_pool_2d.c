#include "edgeflow_dsp.h"
#include "edgeflow_dsp_pool_2d.h"
#include "edgeflow_dsp_window.h"

static int32_t four_of(int32_t value)
{
    const int32_t lanes = edgeflow_both_lanes(value & 0xFF);
    return (int32_t)((uint32_t)lanes | ((uint32_t)lanes << 8));
}

static int32_t window_maxima(const edgeflow_dsp_window *window, int32_t channel)
{
    const int8_t *row = window->first + channel;
    int32_t largest = edgeflow_load_word(row);
    for (int32_t y = window->rows; y > 0; y--) {
        const int8_t *at = row;
        for (int32_t x = window->columns; x > 0; x--) {
            largest = edgeflow_maximum_bytes(largest, edgeflow_load_word(at));
            at += window->column_step;
        }
        row += window->row_step;
    }
    return largest;
}

void edgeflow_dsp_max_pool_2d(const edgeflow_pool_2d_layer *layer, const int8_t *input,
                              int8_t *output)
{
    const int32_t lower = four_of(layer->minimum);
    const int32_t upper = four_of(layer->maximum);
    for (int32_t y = 0; y < layer->output_height; y++) {
        for (int32_t x = 0; x < layer->output_width; x++) {
            const edgeflow_dsp_window window = edgeflow_dsp_window_at(layer, input, y, x);
            int32_t channel = 0;
            while (channel < layer->channels) {
                const int32_t largest =
                    edgeflow_maximum_bytes(window_maxima(&window, channel), lower);
                edgeflow_store_word(output + channel, edgeflow_minimum_bytes(largest, upper));
                channel = edgeflow_dsp_next_four(channel, layer->channels);
            }
            output += layer->channels;
        }
    }
}
