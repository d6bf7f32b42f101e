#include "edgeflow_dsp_conv_2d.h"

#include "edgeflow_dsp_widen.h"

/* A last word that is not full repeats bytes of the one before. */
static inline int8_t *copy(int8_t *to, const int8_t *from, int32_t count)
{
    if (count < 4) {
        for (; count > 0; count--) {
            *to++ = *from++;
        }
        return to;
    }
    int8_t *end = to + count;
    const int8_t *last = from + count - 4;
    for (; from < last; from += 4) {
        edgeflow_store_word(to, edgeflow_load_word(from));
        to += 4;
    }
    edgeflow_store_word(end - 4, edgeflow_load_word(last));
    return end;
}

static int8_t *fill(int8_t *to, int32_t value, int32_t count)
{
    const int32_t lanes = edgeflow_both_lanes(value & 0xFF);
    const int32_t word = (int32_t)((uint32_t)lanes | ((uint32_t)lanes << 8));
    for (; count >= 4; count -= 4) {
        edgeflow_store_word(to, word);
        to += 4;
    }
    for (; count > 0; count--) {
        *to++ = (int8_t)value;
    }
    return to;
}

/* The taps of one filter row of which some may lie in the padding to the left or right. */
static int8_t *copy_row(const edgeflow_dsp_conv_2d_layer *layer, const int8_t *row, int32_t left,
                        int8_t *bytes)
{
    const int32_t channels = layer->input_channels;
    for (int32_t x = 0; x < layer->filter_width; x++) {
        const int32_t column = left + x * layer->dilation_width;
        if (column >= 0 && column < layer->input_width) {
            bytes = copy(bytes, row + column * channels, channels);
        } else {
            bytes = fill(bytes, layer->input_zero_point, channels);
        }
    }
    return bytes;
}

/* The inputs of one output pixel as int8 in the order of the weights; padding is the zero point. */
static void copy_patch(const edgeflow_dsp_conv_2d_layer *layer, const int8_t *input, int32_t top,
                       int32_t left, int8_t *bytes)
{
    const int32_t width = layer->filter_width * layer->input_channels;
    const int whole = left >= 0 && left + layer->filter_width <= layer->input_width &&
                      layer->dilation_width == 1;
    for (int32_t y = 0; y < layer->filter_height; y++) {
        const int32_t at = top + y * layer->dilation_height;
        const int8_t *row = input + at * layer->input_width * layer->input_channels;
        if (at < 0 || at >= layer->input_height) {
            bytes = fill(bytes, layer->input_zero_point, width);
        } else if (whole) {
            bytes = copy(bytes, row + left * layer->input_channels, width);
        } else {
            bytes = copy_row(layer, row, left, bytes);
        }
    }
}

/* Whether the taps are runs of whole words inside the input, so that they need no copy. */
static int is_inside(const edgeflow_dsp_conv_2d_layer *layer, int32_t top, int32_t left)
{
    return top >= 0 && left >= 0 && layer->dilation_width == 1 &&
           (layer->filter_width * layer->input_channels) % 4 == 0 &&
           left + layer->filter_width <= layer->input_width &&
           top + (layer->filter_height - 1) * layer->dilation_height < layer->input_height;
}

static inline void gather(const edgeflow_dsp_conv_2d_layer *layer, const int8_t *input, int32_t y,
                          int32_t x, int8_t *bytes, edgeflow_word *words, int32_t step)
{
    const int32_t top = y * layer->stride_height - layer->pad_top;
    const int32_t left = x * layer->stride_width - layer->pad_left;
    if (!is_inside(layer, top, left)) {
        copy_patch(layer, input, top, left, bytes);
        edgeflow_dsp_widen(words, bytes, layer->dot.taps, step);
        return;
    }
    const int32_t row_bytes = layer->input_width * layer->input_channels;
    const int8_t *row = input + top * row_bytes + left * layer->input_channels;
    for (int32_t i = 0; i < layer->filter_height; i++) {
        words = edgeflow_dsp_widen(words, row, layer->filter_width * layer->input_channels, step);
        row += layer->dilation_height * row_bytes;
    }
}

void edgeflow_dsp_conv_2d(const edgeflow_dsp_conv_2d_layer *layer, const int8_t *input,
                          int8_t *patches, int8_t *output)
{
    edgeflow_word *words = (edgeflow_word *)(void *)patches;
    int8_t *bytes = patches + 6 * layer->dot.taps;
    int32_t pixels = layer->output_height * layer->output_width;
    int32_t waiting = 0;
    for (int32_t y = 0; y < layer->output_height; y++) {
        for (int32_t x = 0; x < layer->output_width; x++) {
            if (pixels + waiting >= 3) {
                gather(layer, input, y, x, bytes, words + waiting, 3);
                waiting++;
                if (waiting == 3) {
                    layer->dot.three_pixels(&layer->dot, words, output);
                    output += 3 * layer->dot.outputs;
                    waiting = 0;
                }
            } else {
                gather(layer, input, y, x, bytes, words, 1);
                layer->dot.one_pixel(&layer->dot, words, output);
                output += layer->dot.outputs;
            }
            pixels--;
        }
    }
}
