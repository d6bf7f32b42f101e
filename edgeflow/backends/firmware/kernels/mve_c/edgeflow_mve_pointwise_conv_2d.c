#include "edgeflow_mve_conv_2d.h"

void edgeflow_mve_pointwise_conv_2d(const edgeflow_mve_pointwise_conv_2d_layer *layer,
                                    const int8_t *input, int8_t *memory, int8_t *output)
{
    for (int32_t row = 0; row < layer->rows; row++) {
        const int8_t *pixel = input;
        for (int32_t left = layer->pixels; left > 0; left -= layer->together) {
            const int32_t count = left < layer->together ? left : layer->together;
            edgeflow_mve_pixels(&layer->dot, pixel, layer->pixel_step, count, memory, output);
            pixel += count * layer->pixel_step;
            output += count * layer->dot.outputs;
        }
        input += layer->row_step;
    }
}
