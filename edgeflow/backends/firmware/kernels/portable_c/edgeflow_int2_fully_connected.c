#include "edgeflow_packed_fully_connected.h"

void edgeflow_int2_fully_connected(const edgeflow_fully_connected_layer *layer, const int8_t *input,
                                   const uint32_t *weights, const int32_t *bias, int8_t *output)
{
    const edgeflow_packed_operands of = {
        input,   layer->inputs, layer->outputs,
        weights, bias,          EDGEFLOW_INT2_ZERO * edgeflow_total(input, layer->inputs),
    };
    edgeflow_packed_dense(edgeflow_int2_sums, &of, &layer->to, output);
}
