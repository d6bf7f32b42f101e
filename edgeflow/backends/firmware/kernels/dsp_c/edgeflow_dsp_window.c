#include "edgeflow_dsp_window.h"

#include "edgeflow_dsp.h"
#include "edgeflow_taps.h"

/* As many int8 values as an int16 lane can add up. */
#define LANE_VALUES 255

edgeflow_dsp_window edgeflow_dsp_window_at(const edgeflow_pool_2d_layer *layer,
                                           const int8_t *input, int32_t y, int32_t x)
{
    const int32_t top = y * layer->stride_height - layer->pad_top;
    const int32_t left = x * layer->stride_width - layer->pad_left;
    const edgeflow_taps rows =
        edgeflow_taps_inside(top, 1, layer->filter_height, layer->input_height);
    const edgeflow_taps columns =
        edgeflow_taps_inside(left, 1, layer->filter_width, layer->input_width);
    const int32_t pixel = (top + rows.first) * layer->input_width + left + columns.first;
    const edgeflow_dsp_window window = {
        .first = input + pixel * layer->channels,
        .rows = rows.count,
        .row_step = layer->input_width * layer->channels,
        .columns = columns.count,
        .column_step = layer->channels,
    };
    return window;
}

/* Lanes of channels 0 and 2, and of 1 and 3. */
static void add_lanes(int32_t even, int32_t odd, int32_t *sums)
{
    sums[0] += (int16_t)(even & 0xFFFF);
    sums[1] += (int16_t)(odd & 0xFFFF);
    sums[2] += even >> 16;
    sums[3] += odd >> 16;
}

void edgeflow_dsp_window_sums(const edgeflow_dsp_window *window, int32_t channel, int32_t *sums)
{
    const int8_t *row = window->first + channel;
    int32_t room = LANE_VALUES;
    int32_t even = 0;
    int32_t odd = 0;
    sums[0] = sums[1] = sums[2] = sums[3] = 0;
    for (int32_t y = 0; y < window->rows; y++) {
        const int8_t *at = row;
        int32_t to_go = window->columns;
        while (to_go > 0) {
            const int32_t run = to_go < room ? to_go : room;
            for (int32_t x = run; x > 0; x--) {
                const int32_t word = edgeflow_load_word(at);
                even = edgeflow_add_even_bytes(even, word);
                odd = edgeflow_add_odd_bytes(odd, word);
                at += window->column_step;
            }
            to_go -= run;
            room -= run;
            if (room == 0) {
                add_lanes(even, odd, sums);
                even = odd = 0;
                room = LANE_VALUES;
            }
        }
        row += window->row_step;
    }
    add_lanes(even, odd, sums);
}
