#include "edgeflow_packed_pixel.h"

void edgeflow_int2_pixel(const edgeflow_pixel_layer *layer, const int8_t *input,
                         const void *weights, const int32_t *bias, int8_t *output)
{
    edgeflow_packed_pixel(edgeflow_int2_sums, EDGEFLOW_INT2_ZERO, layer, input, weights, bias,
                          output);
}
