#include "edgeflow_pointwise_conv_2d.h"

void edgeflow_pointwise_conv_2d(const edgeflow_pointwise_conv_2d_layer *layer, const int8_t *input,
                                const void *weights, const int32_t *bias, int8_t *output)
{
    for (int32_t y = 0; y < layer->output_height; y++) {
        for (int32_t x = 0; x < layer->output_width; x++) {
            const int8_t *pixel = input + y * layer->row_step + x * layer->column_step;
            layer->convolve(&layer->pixel, pixel, weights, bias, output);
            output += layer->pixel.outputs;
        }
    }
}
