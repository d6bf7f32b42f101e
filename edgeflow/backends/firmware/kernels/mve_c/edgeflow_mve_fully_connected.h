/* Dense layer of one input vector, int8, for cores with MVE. */
#ifndef EDGEFLOW_MVE_FULLY_CONNECTED_H
#define EDGEFLOW_MVE_FULLY_CONNECTED_H

#include <stdint.h>

#include "edgeflow_mve.h"
#include "edgeflow_unpack.h"

/* Weights: [output][input], without padding. Biases have the input zero point folded in; multipliers
 * step from four outputs to the next, by 0 where all share theirs. Zeros fill up the last four. An
 * output is (base + (sum * multiplier >> 32)) >> shift, clamped. The assembler knows the offsets. */
typedef struct {
    const int8_t *weights;
    const int32_t *bias;
    int32_t inputs;
    int32_t outputs;
    int32_t base;
    int32_t minus_shift; /* VSHL shifts to the right by negative numbers */
    int32_t minimum;
    int32_t maximum;
    const int32_t *multipliers;
    int32_t multiplier_step; /* bytes */
} edgeflow_mve_fully_connected_layer;

/* The same with packed weights in the place of `layer.weights`: of each four outputs `four_words`
 * words in the order of edgeflow_unpack.h, and `last_words` of the last one to four. */
typedef struct {
    edgeflow_mve_fully_connected_layer layer;
    const uint32_t *packed;
    void (*unpack)(const edgeflow_unpack_layer *layer, const uint32_t *packed, int8_t *weights);
    int32_t four_words;
    int32_t last_words;
} edgeflow_mve_packed_fully_connected_layer;

/* `memory`: four outputs' weights as int8, up to a whole packed word. */
void edgeflow_mve_packed_fully_connected(const edgeflow_mve_packed_fully_connected_layer *layer,
                                         const int8_t *input, int8_t *memory, int8_t *output);

void edgeflow_mve_fully_connected(const edgeflow_mve_fully_connected_layer *layer,
                                  const int8_t *input, int8_t *output);

#endif
