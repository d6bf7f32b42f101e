#include "edgeflow_depthwise_conv_2d.h"

/* The zero point is folded into the bias, so a padded tap counts as an input of that zero point. */

typedef struct {
    int32_t top;  /* input row of the first filter row, negative in the padding */
    int32_t left; /* input column of the first filter column */
} position;

/* The input at a tap, or NULL in the padding. */
static const int8_t *pixel_at(const edgeflow_depthwise_conv_2d_layer *layer, const int8_t *input,
                              int32_t row, int32_t column)
{
    if (row < 0 || row >= layer->input_height || column < 0 || column >= layer->input_width) {
        return 0;
    }
    return input + (row * layer->input_width + column) * layer->input_channels;
}

static int lies_inside(const edgeflow_depthwise_conv_2d_layer *layer, position at)
{
    const int32_t bottom = at.top + (layer->filter_height - 1) * layer->dilation_height;
    const int32_t right = at.left + (layer->filter_width - 1) * layer->dilation_width;
    return at.top >= 0 && at.left >= 0 && bottom < layer->input_height &&
           right < layer->input_width;
}

/* Four channels of a pixel whose taps all lie inside the input; multiplier 1. */
static edgeflow_sums four_inside(const edgeflow_depthwise_conv_2d_layer *layer,
                                 const int8_t *pixel, const int8_t *weights, const int32_t *bias)
{
    const int32_t channels = layer->input_channels;
    const int32_t column_step = layer->dilation_width * channels;
    const int32_t row_step = layer->dilation_height * layer->input_width * channels;
    uint32_t a0 = (uint32_t)bias[0];
    uint32_t a1 = (uint32_t)bias[1];
    uint32_t a2 = (uint32_t)bias[2];
    uint32_t a3 = (uint32_t)bias[3];
    for (int32_t y = 0; y < layer->filter_height; y++) {
        for (int32_t x = 0; x < layer->filter_width; x++) {
            const int8_t *from = pixel + y * row_step + x * column_step;
            const int8_t *tap = weights + (y * layer->filter_width + x) * channels;
            a0 += (uint32_t)(from[0] * tap[0]);
            a1 += (uint32_t)(from[1] * tap[1]);
            a2 += (uint32_t)(from[2] * tap[2]);
            a3 += (uint32_t)(from[3] * tap[3]);
        }
    }
    return (edgeflow_sums){{a0, a1, a2, a3}};
}

/* One output channel anywhere, any multiplier. */
static uint32_t one_channel(const edgeflow_depthwise_conv_2d_layer *layer, const int8_t *input,
                            position at, const int8_t *weights, int32_t bias)
{
    const int32_t channels = layer->input_channels * layer->multiplier;
    uint32_t sum = (uint32_t)bias;
    for (int32_t y = 0; y < layer->filter_height; y++) {
        const int32_t row = at.top + y * layer->dilation_height;
        for (int32_t x = 0; x < layer->filter_width; x++) {
            const int32_t column = at.left + x * layer->dilation_width;
            const int8_t *pixel = pixel_at(layer, input, row, column);
            const int32_t value = pixel ? *pixel : layer->input_zero_point;
            sum += (uint32_t)(value * weights[(y * layer->filter_width + x) * channels]);
        }
    }
    return sum;
}

static void convolve_pixel(const edgeflow_depthwise_conv_2d_layer *layer, const int8_t *input,
                           const int8_t *weights, const int32_t *bias, position at, int8_t *output)
{
    const int32_t inputs = layer->input_channels;
    const int32_t outputs = inputs * layer->multiplier;
    int32_t channel = 0;
    if (layer->multiplier == 1 && lies_inside(layer, at)) {
        const int8_t *pixel = input + (at.top * layer->input_width + at.left) * inputs;
        for (; channel + 4 <= inputs; channel += 4) {
            const edgeflow_sums sums =
                four_inside(layer, pixel + channel, weights + channel, bias + channel);
            edgeflow_store(&layer->to, &sums, channel, outputs, output);
        }
    }
    for (; channel < outputs; channel++) {
        const int8_t *plane = input + channel / layer->multiplier;
        const uint32_t sum = one_channel(layer, plane, at, weights + channel, bias[channel]);
        output[channel] = edgeflow_requantize(&layer->to, sum, channel);
    }
}

void edgeflow_depthwise_conv_2d(const edgeflow_depthwise_conv_2d_layer *layer, const int8_t *input,
                                const int8_t *weights, const int32_t *bias, int8_t *output)
{
    for (int32_t y = 0; y < layer->output_height; y++) {
        for (int32_t x = 0; x < layer->output_width; x++) {
            const position at = {
                y * layer->stride_height - layer->pad_top,
                x * layer->stride_width - layer->pad_left,
            };
            convolve_pixel(layer, input, weights, bias, at, output);
            output += layer->input_channels * layer->multiplier;
        }
    }
}
