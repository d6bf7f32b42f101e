#include "edgeflow_conv_2d.h"

static int8_t *copy(int8_t *to, const int8_t *from, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        to[i] = from[i];
    }
    return to + count;
}

static int8_t *fill(int8_t *to, int32_t value, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        to[i] = (int8_t)value;
    }
    return to + count;
}

/* One row of a patch, from input column `left` on; `row` is 0 in the padding above and below. */
static int8_t *gather_row(const edgeflow_conv_2d_layer *layer, const int8_t *row, int32_t left,
                          int8_t *patch)
{
    const int32_t channels = layer->input_channels;
    const int32_t right = left + layer->filter_width;
    if (row && layer->dilation_width == 1 && left >= 0 && right <= layer->input_width) {
        return copy(patch, row + left * channels, layer->filter_width * channels);
    }
    for (int32_t x = 0; x < layer->filter_width; x++) {
        const int32_t column = left + x * layer->dilation_width;
        if (row && column >= 0 && column < layer->input_width) {
            patch = copy(patch, row + column * channels, channels);
        } else {
            patch = fill(patch, layer->input_zero_point, channels);
        }
    }
    return patch;
}

/* The inputs of one output pixel in the order of the weights; padding has the zero point. */
static void gather(const edgeflow_conv_2d_layer *layer, const int8_t *input, int32_t top,
                   int32_t left, int8_t *patch)
{
    for (int32_t y = 0; y < layer->filter_height; y++) {
        const int32_t at = top + y * layer->dilation_height;
        const int exists = at >= 0 && at < layer->input_height;
        const int8_t *row = exists ? input + at * layer->input_width * layer->input_channels : 0;
        patch = gather_row(layer, row, left, patch);
    }
}

void edgeflow_conv_2d(const edgeflow_conv_2d_layer *layer, const int8_t *input,
                      const void *weights, const int32_t *bias, int8_t *patch, int8_t *output)
{
    for (int32_t y = 0; y < layer->output_height; y++) {
        const int32_t top = y * layer->stride_height - layer->pad_top;
        for (int32_t x = 0; x < layer->output_width; x++) {
            gather(layer, input, top, x * layer->stride_width - layer->pad_left, patch);
            layer->convolve(&layer->pixel, patch, weights, bias, output);
            output += layer->pixel.outputs;
        }
    }
}
