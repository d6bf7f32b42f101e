#include "edgeflow_conv_2d.h"

/* The zero point is folded into the bias, so a padded tap counts as an input of that zero point. */

typedef struct {
    int32_t top;  /* input row of the first filter row, negative in the padding */
    int32_t left; /* input column of the first filter column */
} position;

static int lies_inside(const edgeflow_conv_2d_layer *layer, position at)
{
    const int32_t bottom = at.top + (layer->filter_height - 1) * layer->dilation_height;
    const int32_t right = at.left + (layer->filter_width - 1) * layer->dilation_width;
    return at.top >= 0 && at.left >= 0 && bottom < layer->input_height &&
           right < layer->input_width;
}

/* A filter row without dilation reads one run of the input. */
static void add_inside(const edgeflow_conv_2d_layer *layer, const int8_t *input, position at,
                       const edgeflow_filters *filters, edgeflow_sums *sums)
{
    const int32_t channels = layer->input_channels;
    const int32_t row_step = layer->dilation_height * layer->input_width * channels;
    const int32_t run = layer->filter_width * channels;
    const int8_t *row = input + (at.top * layer->input_width + at.left) * channels;
    for (int32_t y = 0; y < layer->filter_height; y++) {
        edgeflow_dot(sums, row + y * row_step, filters, y * run, run);
    }
}

static void add_tap_by_tap(const edgeflow_conv_2d_layer *layer, const int8_t *input, position at,
                           const edgeflow_filters *filters, edgeflow_sums *sums)
{
    const int32_t channels = layer->input_channels;
    int32_t tap = 0;
    for (int32_t y = 0; y < layer->filter_height; y++) {
        const int32_t row = at.top + y * layer->dilation_height;
        const int row_exists = row >= 0 && row < layer->input_height;
        for (int32_t x = 0; x < layer->filter_width; x++) {
            const int32_t column = at.left + x * layer->dilation_width;
            if (row_exists && column >= 0 && column < layer->input_width) {
                const int8_t *pixel = input + (row * layer->input_width + column) * channels;
                edgeflow_dot(sums, pixel, filters, tap, channels);
            } else if (layer->input_zero_point != 0) {
                edgeflow_dot_constant(sums, layer->input_zero_point, filters, tap, channels);
            }
            tap += channels;
        }
    }
}

static void convolve_pixel(const edgeflow_conv_2d_layer *layer, const int8_t *input,
                           const int8_t *weights, const int32_t *bias, position at, int8_t *output)
{
    const int32_t channels = layer->output_channels;
    const int32_t filter_size = layer->filter_height * layer->filter_width * layer->input_channels;
    const int in_runs = layer->dilation_width == 1 && lies_inside(layer, at);
    for (int32_t channel = 0; channel < channels; channel += 4) {
        const edgeflow_filters filters =
            edgeflow_filters_from(weights, channel, channels, filter_size);
        edgeflow_sums sums = edgeflow_sums_from(bias, channel, channels);
        if (in_runs) {
            add_inside(layer, input, at, &filters, &sums);
        } else {
            add_tap_by_tap(layer, input, at, &filters, &sums);
        }
        edgeflow_store(&layer->to, &sums, channel, channels, output);
    }
}

void edgeflow_conv_2d(const edgeflow_conv_2d_layer *layer, const int8_t *input,
                      const int8_t *weights, const int32_t *bias, int8_t *output)
{
    for (int32_t y = 0; y < layer->output_height; y++) {
        for (int32_t x = 0; x < layer->output_width; x++) {
            const position at = {
                y * layer->stride_height - layer->pad_top,
                x * layer->stride_width - layer->pad_left,
            };
            convolve_pixel(layer, input, weights, bias, at, output);
            output += layer->output_channels;
        }
    }
}
