#include "edgeflow_packed_pixel.h"

void edgeflow_int4_pixel(const edgeflow_pixel_layer *layer, const int8_t *input,
                         const void *weights, const int32_t *bias, int8_t *output)
{
    edgeflow_packed_pixel(edgeflow_int4_sums, EDGEFLOW_INT4_ZERO, layer, input, weights, bias,
                          output);
}
