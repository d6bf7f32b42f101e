#include "edgeflow_mve_pool_2d.h"
#include "edgeflow_taps.h"

/* `first` is the window's first element inside the input. */
static void largest_of(const edgeflow_pool_2d_layer *layer, const int8_t *first, int32_t rows,
                       int32_t columns, int8_t *output)
{
    const int32_t channels = layer->channels;
    const int32_t row_step = layer->input_width * channels;
#if defined(__ARM_FEATURE_MVE)
    const int8x16_t minimum = vdupq_n_s8((int8_t)layer->minimum);
    const int8x16_t maximum = vdupq_n_s8((int8_t)layer->maximum);
    for (int32_t channel = 0; channel < channels; channel += 16) {
        const mve_pred16_t valid = vctp8q((uint32_t)(channels - channel));
        int8x16_t largest = minimum;
        const int8_t *row = first + channel;
        for (int32_t y = rows; y > 0; y--) {
            const int8_t *from = row;
            for (int32_t x = columns; x > 0; x--) {
                largest = vmaxq_s8(largest, vldrbq_z_s8(from, valid));
                from += channels;
            }
            row += row_step;
        }
        vstrbq_p_s8(output + channel, vminq_s8(largest, maximum), valid);
    }
#else
    for (int32_t channel = 0; channel < channels; channel++) {
        int32_t largest = layer->minimum;
        for (int32_t y = 0; y < rows; y++) {
            for (int32_t x = 0; x < columns; x++) {
                const int32_t value = first[y * row_step + x * channels + channel];
                largest = value > largest ? value : largest;
            }
        }
        output[channel] = edgeflow_mve_clamp(largest, layer->minimum, layer->maximum);
    }
#endif
}

void edgeflow_mve_max_pool_2d(const edgeflow_pool_2d_layer *layer, const int8_t *input,
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
            largest_of(layer, input + pixel * layer->channels, rows.count, columns.count, output);
            output += layer->channels;
        }
    }
}
