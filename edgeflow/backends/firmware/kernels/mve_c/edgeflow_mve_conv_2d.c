#include "edgeflow_mve_conv_2d.h"

#include "edgeflow_mve_columns.h"

/* The columns of `pixels` neighbouring outputs of which the first reads from column `left` on. */
static void gather_pixels(const edgeflow_mve_conv_2d_layer *layer,
                          const edgeflow_mve_columns *columns, int32_t left, int32_t pixels,
                          int8_t *to)
{
    const int32_t column_bytes = layer->filter_height * layer->input_channels;
    if (layer->new_columns == layer->stride_width && layer->dilation_width == 1) {
        const int32_t count = (pixels - 1) * layer->new_columns + layer->filter_width;
        edgeflow_mve_gather_columns(layer, columns, left, count, to);
        return;
    }
    const int32_t together = layer->dilation_width == 1 ? layer->filter_width : 1;
    for (; pixels > 0; pixels--) {
        for (int32_t tap = 0; tap < layer->filter_width; tap += together) {
            edgeflow_mve_gather_columns(layer, columns, left + tap * layer->dilation_width,
                                        together, to);
            to += together * column_bytes;
        }
        left += layer->stride_width;
    }
}

void edgeflow_mve_conv_2d(const edgeflow_mve_conv_2d_layer *layer, const int8_t *input,
                          int8_t *memory, int8_t *output)
{
    const int32_t step = layer->new_columns * layer->filter_height * layer->input_channels;
    edgeflow_mve_columns columns = edgeflow_mve_columns_of(layer, input);
    for (int32_t y = 0; y < layer->output_height; y++) {
        columns.top = y * layer->stride_height - layer->pad_top;
        int32_t pixels = layer->strip_pixels;
        for (int32_t x = 0; x < layer->output_width; x += pixels) {
            if (pixels > layer->output_width - x) {
                pixels = layer->output_width - x;
            }
            gather_pixels(layer, &columns, x * layer->stride_width - layer->pad_left, pixels,
                          memory);
            edgeflow_mve_pixels(&layer->dot, memory, step, pixels, memory + layer->strip_bytes,
                                output);
            output += pixels * layer->dot.outputs;
        }
    }
}
