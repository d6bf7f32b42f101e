/* All output channels of one pixel of a convolution with packed weights. */
#ifndef EDGEFLOW_PACKED_PIXEL_H
#define EDGEFLOW_PACKED_PIXEL_H

#include <stdint.h>

#include "edgeflow_packed_sums.h"
#include "edgeflow_pixel.h"

static inline void edgeflow_packed_pixel(edgeflow_packed_sums *packed_sums, uint32_t zero,
                                         const edgeflow_pixel_layer *layer, const int8_t *input,
                                         const void *weights, const int32_t *bias, int8_t *output)
{
    const edgeflow_packed_operands of = {
        input,   layer->inputs, layer->outputs,
        weights, bias,          zero * edgeflow_total(input, layer->inputs),
    };
    uint32_t sums[4] = {0};
    int32_t channel = 0;
    while (channel < layer->outputs) {
        const int32_t count = packed_sums(&of, channel, sums);
        edgeflow_requantize(&layer->to, sums, channel, count, output);
        channel += count;
    }
}

#endif
