#include "edgeflow_pointwise_conv_2d.h"

#include "edgeflow_fully_connected.h"

void edgeflow_pointwise_conv_2d(const edgeflow_pointwise_conv_2d_layer *layer, const int8_t *input,
                                const int8_t *weights, const int32_t *bias, int8_t *output)
{
    const edgeflow_fully_connected_layer pixel_layer = {
        .inputs = layer->input_channels,
        .outputs = layer->output_channels,
        .to = layer->to,
    };
    for (int32_t y = 0; y < layer->output_height; y++) {
        for (int32_t x = 0; x < layer->output_width; x++) {
            const int8_t *pixel = input + y * layer->row_step + x * layer->column_step;
            edgeflow_fully_connected(&pixel_layer, pixel, weights, bias, output);
            output += layer->output_channels;
        }
    }
}
