#include "edgeflow_dsp_conv_2d.h"
#include "edgeflow_dsp_widen.h"

/* Where the pixels of an output row lie in the input, one after the other. */
typedef struct {
    const int8_t *pixel;
    int32_t columns_to_go;
} walk;

static inline const int8_t *next_pixel(const edgeflow_dsp_conv_2d_layer *layer, walk *at)
{
    const int8_t *pixel = at->pixel;
    at->columns_to_go--;
    at->pixel += layer->stride_width * layer->input_channels;
    if (at->columns_to_go == 0) {
        const int32_t row = layer->stride_height * layer->input_width;
        const int32_t walked = layer->stride_width * layer->output_width;
        at->columns_to_go = layer->output_width;
        at->pixel += (row - walked) * layer->input_channels;
    }
    return pixel;
}

void edgeflow_dsp_pointwise_conv_2d(const edgeflow_dsp_conv_2d_layer *layer, const int8_t *input,
                                    int8_t *patches, int8_t *output)
{
    edgeflow_word *words = (edgeflow_word *)(void *)patches;
    const int32_t channels = layer->input_channels;
    int32_t pixels = layer->output_height * layer->output_width;
    walk at = {input, layer->output_width};
    for (; pixels >= 3; pixels -= 3) {
        for (int32_t i = 0; i < 3; i++) {
            edgeflow_dsp_widen(words + i, next_pixel(layer, &at), channels, 3);
        }
        layer->dot.three_pixels(&layer->dot, words, output);
        output += 3 * layer->dot.outputs;
    }
    for (; pixels > 0; pixels--) {
        edgeflow_dsp_widen(words, next_pixel(layer, &at), channels, 1);
        layer->dot.one_pixel(&layer->dot, words, output);
        output += layer->dot.outputs;
    }
}
