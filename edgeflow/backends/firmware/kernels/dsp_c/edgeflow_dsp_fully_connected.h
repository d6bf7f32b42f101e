/* Dense layer of one input vector, int8, for cores with the DSP extension. */
#ifndef EDGEFLOW_DSP_FULLY_CONNECTED_H
#define EDGEFLOW_DSP_FULLY_CONNECTED_H

#include <stdint.h>

#include "edgeflow_dsp.h"

/* Two outputs share a lane as in edgeflow_dsp_dot.h. Weights: for each four outputs and each four
 * inputs, the words of inputs 0 and 2 for outputs 0, 1 and for outputs 2, 3, then those of inputs
 * 1 and 3; of narrow weights, stored words for outputs 0, 1 and for outputs 2, 3 in turn. Biases
 * have the input zero point folded in. Multipliers step from four outputs to the next; the step is 0
 * where all outputs share theirs. `inputs` and the constants' outputs are multiples of 4 (inputs of
 * int2: of 8), padded with zeros.
 *
 * An output is saturate((base + 2^k * sum * multiplier / 2^32) >> shift), the product rounded down
 * and k 0, 4 or 6 for weights of 8, 4 or 2 bits. The assembler knows the order of the fields. */
typedef struct {
    const uint32_t *weights;
    const int32_t *bias;
    int32_t inputs;
    int32_t outputs;
    int32_t base;
    int32_t shift;
    const int32_t *multipliers;
    int32_t multiplier_step; /* bytes */
    int32_t given_inputs; /* less what `inputs` is padded by */
} edgeflow_dsp_fully_connected_layer;

/* The functions of int8, int4 and int2 weights. `memory`: the inputs as int16, 2 * `inputs` bytes. */
typedef void edgeflow_dsp_dense_layer(const edgeflow_dsp_fully_connected_layer *layer,
                                      const int8_t *input, int8_t *memory, int8_t *output);

edgeflow_dsp_dense_layer edgeflow_dsp_fully_connected;
edgeflow_dsp_dense_layer edgeflow_dsp_int4_fully_connected;
edgeflow_dsp_dense_layer edgeflow_dsp_int2_fully_connected;

/* All outputs from the inputs as int16. */
typedef void edgeflow_dsp_dense_products(const edgeflow_dsp_fully_connected_layer *layer,
                                         const edgeflow_word *input, int8_t *output);

edgeflow_dsp_dense_products edgeflow_dsp_dense;
edgeflow_dsp_dense_products edgeflow_dsp_int4_dense;
edgeflow_dsp_dense_products edgeflow_dsp_int2_dense;

#endif
