/* Dense layer of one input vector, int8, for cores with the DSP extension. */
#ifndef EDGEFLOW_DSP_FULLY_CONNECTED_H
#define EDGEFLOW_DSP_FULLY_CONNECTED_H

#include <stdint.h>

#include "edgeflow_dense_scaling.h"
#include "edgeflow_dsp.h"

/* Two outputs share a lane as in edgeflow_dsp_dot.h. Weights: for each four outputs and each four
 * inputs, the words of inputs 0 and 2 for outputs 0, 1 and for outputs 2, 3, then those of inputs
 * 1 and 3. `inputs` is a multiple of 4; `bias` has the input zero point folded in and, like the
 * weights, entries of zero up to a multiple of four outputs. */
typedef struct {
    const uint32_t *weights;
    const int32_t *bias;
    int32_t inputs;
    int32_t given_inputs; /* less what `inputs` is padded by */
    int32_t outputs;
    edgeflow_dense_scaling to;
} edgeflow_dsp_fully_connected_layer;

/* `memory`: the inputs as int16, 2 * `inputs` bytes. */
void edgeflow_dsp_fully_connected(const edgeflow_dsp_fully_connected_layer *layer,
                                  const int8_t *input, int8_t *memory, int8_t *output);

/* The accumulators of four outputs. */
void edgeflow_dsp_four_sums(const edgeflow_word *input, const uint32_t *weights,
                            const int32_t *bias, int32_t inputs, int32_t *sums);

#endif
