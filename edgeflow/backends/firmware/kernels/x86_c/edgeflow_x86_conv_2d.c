#include "edgeflow_x86_conv_2d.h"

/* Pixels of one output row; the last ones are computed again where they do not fill a block. */
static void convolve_row(const edgeflow_x86_conv_2d_layer *layer, const uint8_t *row, int32_t block,
                         edgeflow_x86_block function, int32_t pixels, int8_t *output)
{
    for (int32_t x = 0; x < layer->output_width; x += pixels) {
        const int32_t last = layer->output_width - pixels;
        const int32_t from = x < last ? x : last;
        function(layer, row + from * layer->pixel_step, block, output + from * layer->outputs);
    }
}

void edgeflow_x86_conv_2d(const edgeflow_x86_conv_2d_layer *layer, const int8_t *input,
                          int8_t *copy, int8_t *output)
{
    const int vnni = edgeflow_x86_has_vnni();
    const edgeflow_x86_block function = vnni ? layer->vnni : layer->avx2;
    const int32_t pixels = vnni ? layer->vnni_pixels : layer->avx2_pixels;
    edgeflow_x86_copy(&layer->image, input, (uint8_t *)copy);
    for (int32_t block = 0; block < layer->blocks; block++) {
        for (int32_t y = 0; y < layer->output_height; y++) {
            const uint8_t *row = (const uint8_t *)copy + y * layer->line_step;
            int8_t *to = output + y * layer->output_width * layer->outputs;
            convolve_row(layer, row, block, function, pixels, to + block * layer->block_outputs);
        }
    }
}
