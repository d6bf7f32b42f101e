#include "edgeflow_mve_conv_2d.h"

#include "edgeflow_mve_copy.h"

/* The rows of one filter column that lie inside the input, and how many lie above and below. */
typedef struct {
    int32_t above;
    int32_t inside;
    int32_t below;
    const int8_t *first; /* of the rows inside, column 0 */
} rows;

static rows rows_at(const edgeflow_mve_conv_2d_layer *layer, const int8_t *input, int32_t top)
{
    const int32_t dilation = layer->dilation_height;
    const int32_t filter = layer->filter_height;
    const int32_t row_bytes = layer->input_width * layer->input_channels;
    int32_t above = 0;
    while (above < filter && top + above * dilation < 0) {
        above++;
    }
    int32_t below = 0;
    while (above + below < filter &&
           top + (filter - 1 - below) * dilation >= layer->input_height) {
        below++;
    }
    const int32_t inside = filter - above - below;
    const rows found = {above, inside, below,
                        inside > 0 ? input + (top + above * dilation) * row_bytes : input};
    return found;
}

static int8_t *gather_column(const edgeflow_mve_conv_2d_layer *layer, const rows *at,
                             int32_t column, int8_t *to)
{
    const int32_t channels = layer->input_channels;
    const int32_t zero_point = layer->input_zero_point;
    if (column < 0 || column >= layer->input_width) {
        edgeflow_mve_fill(to, zero_point, layer->filter_height * channels);
        return to + layer->filter_height * channels;
    }
    const int32_t row_step = layer->dilation_height * layer->input_width * channels;
    const int8_t *from = at->first + column * channels;
    edgeflow_mve_fill(to, zero_point, at->above * channels);
    to += at->above * channels;
    for (int32_t row = at->inside; row > 0; row--) {
        edgeflow_mve_copy(to, from, channels);
        to += channels;
        from += row_step;
    }
    edgeflow_mve_fill(to, zero_point, at->below * channels);
    return to + at->below * channels;
}

void edgeflow_mve_conv_2d(const edgeflow_mve_conv_2d_layer *layer, const int8_t *input,
                          int8_t *columns, int8_t *output)
{
    const int32_t step = layer->new_columns * layer->filter_height * layer->input_channels;
    for (int32_t y = 0; y < layer->output_height; y++) {
        const rows at = rows_at(layer, input, y * layer->stride_height - layer->pad_top);
        int32_t pixels = layer->strip_pixels;
        for (int32_t x = 0; x < layer->output_width; x += pixels) {
            if (pixels > layer->output_width - x) {
                pixels = layer->output_width - x;
            }
            int8_t *to = columns;
            int32_t tap = 0; /* the first pixel of a strip brings all of its columns */
            for (int32_t pixel = x; pixel < x + pixels; pixel++) {
                const int32_t left = pixel * layer->stride_width - layer->pad_left;
                for (; tap < layer->filter_width; tap++) {
                    to = gather_column(layer, &at, left + tap * layer->dilation_width, to);
                }
                tap = layer->filter_width - layer->new_columns;
            }
            edgeflow_mve_pixels(&layer->dot, columns, step, pixels, output);
            output += pixels * layer->dot.outputs;
        }
    }
}
