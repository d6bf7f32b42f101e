#include "edgeflow_fixed_point.h"
#include "edgeflow_pool_2d.h"
#include "edgeflow_taps.h"

/* `plane` starts at the window's first element inside the input. */
static int32_t window_maximum(const edgeflow_pool_2d_layer *layer, const int8_t *plane,
                              int32_t rows, int32_t columns)
{
    int32_t largest = INT8_MIN;
    for (int32_t row = 0; row < rows; row++) {
        for (int32_t column = 0; column < columns; column++) {
            const int32_t value = plane[(row * layer->input_width + column) * layer->channels];
            largest = value > largest ? value : largest;
        }
    }
    return largest;
}

void edgeflow_max_pool_2d(const edgeflow_pool_2d_layer *layer, const int8_t *input, int8_t *output)
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
            const int8_t *plane = input + pixel * layer->channels;
            for (int32_t channel = 0; channel < layer->channels; channel++) {
                const int32_t largest =
                    window_maximum(layer, plane + channel, rows.count, columns.count);
                *output++ = (int8_t)edgeflow_clamp(largest, layer->minimum, layer->maximum);
            }
        }
    }
}
