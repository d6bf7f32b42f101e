#include "edgeflow_depthwise_conv_2d.h"

#include "edgeflow_taps.h"

/* Padding counts as an input of the zero point, so taps on it add nothing and are left out. */
typedef struct {
    const int8_t *input; /* below the first tap that counts, channel 0 */
    int32_t filter;      /* offset of that tap in the weights */
    int32_t rows;
    int32_t columns;
} patch;

static patch patch_at(const edgeflow_depthwise_conv_2d_layer *layer, const int8_t *input,
                      int32_t top, int32_t left)
{
    const edgeflow_taps y = edgeflow_taps_inside(top, layer->dilation_height, layer->filter_height,
                                                 layer->input_height);
    const edgeflow_taps x = edgeflow_taps_inside(left, layer->dilation_width, layer->filter_width,
                                                 layer->input_width);
    patch at = {input, 0, y.count, x.count};
    if (y.count > 0 && x.count > 0) {
        const int32_t row = top + y.first * layer->dilation_height;
        const int32_t column = left + x.first * layer->dilation_width;
        at.input += (row * layer->input_width + column) * layer->input_channels;
        at.filter = (y.first * layer->filter_width + x.first) * layer->input_channels *
                    layer->multiplier;
    }
    return at;
}

/* Adds the products of one row of taps, at least one, for four neighbouring channels. */
static void add_row(uint32_t *sums, const int8_t *input, int32_t column_step, int32_t zero_point,
                    const int8_t *weights, int32_t tap_step, int32_t taps)
{
    const int8_t *last = weights + (taps - 1) * tap_step;
    uint32_t a0 = sums[0];
    uint32_t a1 = sums[1];
    uint32_t a2 = sums[2];
    uint32_t a3 = sums[3];
    for (;;) {
        a0 += (uint32_t)((input[0] - zero_point) * weights[0]);
        a1 += (uint32_t)((input[1] - zero_point) * weights[1]);
        a2 += (uint32_t)((input[2] - zero_point) * weights[2]);
        a3 += (uint32_t)((input[3] - zero_point) * weights[3]);
        if (weights == last) {
            break;
        }
        input += column_step;
        weights += tap_step;
    }
    sums[0] = a0;
    sums[1] = a1;
    sums[2] = a2;
    sums[3] = a3;
}

/* Four neighbouring channels from `channel` on, multiplier 1. */
static void four_sums(const edgeflow_depthwise_conv_2d_layer *layer, const patch *at,
                      const int8_t *weights, const int32_t *bias, int32_t channel, uint32_t *sums)
{
    const int32_t channels = layer->input_channels;
    const int32_t column_step = layer->dilation_width * channels;
    const int32_t row_step = layer->dilation_height * layer->input_width * channels;
    const int8_t *input = at->input + channel;
    const int8_t *filter = weights + at->filter + channel;
    for (int32_t lane = 0; lane < 4; lane++) {
        sums[lane] = (uint32_t)bias[channel + lane];
    }
    for (int32_t y = 0; y < at->rows && at->columns > 0; y++) {
        add_row(sums, input + y * row_step, column_step, layer->input_zero_point,
                filter + y * layer->filter_width * channels, channels, at->columns);
    }
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
