#include "edgeflow_mve_conv_2d.h"

void edgeflow_mve_pointwise_conv_2d(const edgeflow_mve_pointwise_conv_2d_layer *layer,
                                    const int8_t *input, int8_t *output)
{
    for (int32_t row = 0; row < layer->rows; row++) {
        edgeflow_mve_pixels(&layer->dot, input, layer->pixel_step, layer->pixels, output);
        input += layer->row_step;
        output += layer->pixels * layer->dot.outputs;
    }
}
