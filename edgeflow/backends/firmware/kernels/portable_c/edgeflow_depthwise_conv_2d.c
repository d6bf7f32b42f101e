#include "edgeflow_depthwise_conv_2d.h"

/* Padding counts as an input of the zero point, so taps on it add nothing and are left out. */

/* The taps of a filter that lie on the input along one dimension: `first` to `end` - 1. */
typedef struct {
    int32_t first;
    int32_t end;
} taps;

typedef struct {
    const int8_t *input; /* below the first tap that counts, channel 0 */
    int32_t filter;      /* offset of that tap in the weights */
    int32_t rows;
    int32_t columns;
} patch;

static taps taps_inside(int32_t start, int32_t dilation, int32_t filter, int32_t size)
{
    taps inside = {0, filter};
    while (inside.first < filter && start + inside.first * dilation < 0) {
        inside.first++;
    }
    while (inside.end > inside.first && start + (inside.end - 1) * dilation >= size) {
        inside.end--;
    }
    return inside;
}

static patch patch_at(const edgeflow_depthwise_conv_2d_layer *layer, const int8_t *input,
                      int32_t top, int32_t left)
{
    const taps y = taps_inside(top, layer->dilation_height, layer->filter_height,
                               layer->input_height);
    const taps x = taps_inside(left, layer->dilation_width, layer->filter_width,
                               layer->input_width);
    patch at = {input, 0, y.end - y.first, x.end - x.first};
    if (at.rows > 0 && at.columns > 0) {
        const int32_t row = top + y.first * layer->dilation_height;
        const int32_t column = left + x.first * layer->dilation_width;
        at.input += (row * layer->input_width + column) * layer->input_channels;
        at.filter = (y.first * layer->filter_width + x.first) * layer->input_channels *
                    layer->multiplier;
    }
    return at;
}

/* Four neighbouring channels, multiplier 1. */
static void four_sums(const edgeflow_depthwise_conv_2d_layer *layer, const patch *at,
                      const int8_t *weights, const int32_t *bias, int32_t channel, uint32_t *sums)
{
    const int32_t channels = layer->input_channels;
    const int32_t column_step = layer->dilation_width * channels;
    const int32_t row_step = layer->dilation_height * layer->input_width * channels;
    const int32_t zero_point = layer->input_zero_point;
    const int32_t columns = at->columns;
    const int32_t rows = at->rows;
    const int32_t filter_step = layer->filter_width * channels;
    const int8_t *from = at->input + channel;
    const int8_t *tap = weights + at->filter + channel;
    uint32_t a0 = (uint32_t)bias[channel];
    uint32_t a1 = (uint32_t)bias[channel + 1];
    uint32_t a2 = (uint32_t)bias[channel + 2];
    uint32_t a3 = (uint32_t)bias[channel + 3];
    for (int32_t y = 0; y < rows; y++) {
        int32_t x_offset = y * row_step;
        int32_t w_offset = y * filter_step;
        for (int32_t x = columns; x > 0; x--) {
            a0 += (uint32_t)((from[x_offset] - zero_point) * tap[w_offset]);
            a1 += (uint32_t)((from[x_offset + 1] - zero_point) * tap[w_offset + 1]);
            a2 += (uint32_t)((from[x_offset + 2] - zero_point) * tap[w_offset + 2]);
            a3 += (uint32_t)((from[x_offset + 3] - zero_point) * tap[w_offset + 3]);
            x_offset += column_step;
            w_offset += channels;
        }
    }
    sums[0] = a0;
    sums[1] = a1;
    sums[2] = a2;
    sums[3] = a3;
}

/* One output channel, any multiplier. */
static uint32_t one_sum(const edgeflow_depthwise_conv_2d_layer *layer, const patch *at,
                        const int8_t *weights, const int32_t *bias, int32_t channel)
{
    const int32_t inputs = layer->input_channels;
    const int32_t column_step = layer->dilation_width * inputs;
    const int32_t row_step = layer->dilation_height * layer->input_width * inputs;
    const int8_t *input = at->input + channel / layer->multiplier;
    const int8_t *filter = weights + at->filter + channel;
    const int32_t tap_step = inputs * layer->multiplier;
    uint32_t sum = (uint32_t)bias[channel];
    for (int32_t y = 0; y < at->rows; y++) {
        for (int32_t x = 0; x < at->columns; x++) {
            const int32_t value = input[y * row_step + x * column_step] - layer->input_zero_point;
            sum += (uint32_t)(value * filter[(y * layer->filter_width + x) * tap_step]);
        }
    }
    return sum;
}

static void convolve_pixel(const edgeflow_depthwise_conv_2d_layer *layer, const patch *at,
                           const int8_t *weights, const int32_t *bias, int8_t *output)
{
    const int32_t outputs = layer->input_channels * layer->multiplier;
    uint32_t sums[4];
    int32_t channel = 0;
    if (layer->multiplier == 1) {
        for (; channel + 4 <= outputs; channel += 4) {
            four_sums(layer, at, weights, bias, channel, sums);
            edgeflow_requantize(&layer->to, sums, channel, 4, output);
        }
    }
    for (; channel < outputs; channel++) {
        sums[0] = one_sum(layer, at, weights, bias, channel);
        edgeflow_requantize(&layer->to, sums, channel, 1, output);
    }
}

void edgeflow_depthwise_conv_2d(const edgeflow_depthwise_conv_2d_layer *layer, const int8_t *input,
                                const int8_t *weights, const int32_t *bias, int8_t *output)
{
    for (int32_t y = 0; y < layer->output_height; y++) {
        const int32_t top = y * layer->stride_height - layer->pad_top;
        for (int32_t x = 0; x < layer->output_width; x++) {
            const int32_t left = x * layer->stride_width - layer->pad_left;
            const patch at = patch_at(layer, input, top, left);
            convolve_pixel(layer, &at, weights, bias, output);
            output += layer->input_channels * layer->multiplier;
        }
    }
}
