/* Inner products of pixels with the weights of all output channels, requantized to int8. */
#ifndef EDGEFLOW_MVE_DOT_H
#define EDGEFLOW_MVE_DOT_H

#include <stdint.h>

#include "edgeflow_mve.h"
#include "edgeflow_unpack.h"

typedef struct edgeflow_mve_dot edgeflow_mve_dot;

/* edgeflow_int4_unpack or edgeflow_int2_unpack. */
typedef void edgeflow_mve_unpack(const edgeflow_unpack_layer *layer, const uint32_t *packed,
                                 int8_t *weights);

/* What three pixels at a time take: edgeflow_mve_triples or edgeflow_mve_narrow_triples. */
typedef void edgeflow_mve_outputs_of_triples(const edgeflow_mve_dot *dot, const int8_t *pixels,
                                             int32_t step, int32_t triples, int8_t *output);

/* Weights: [output][tap]; below 16 taps, zeros fill up 16 bytes from the last output's first weight
 * on. Constants: for each four outputs their biases, the input zero point folded in, their
 * multipliers, and in the bytes of one word their shifts, negative as VRSHL takes them; zeros fill
 * up the last four. The assembler knows the offsets.
 *
 * Narrow weights are `packed`, and `weights` 0: of each four outputs whole words in the order of
 * edgeflow_unpack.h, `four_words` of them, and `last_words` of the last one to four. */
struct edgeflow_mve_dot {
    const int8_t *weights;
    const int32_t *constants;
    int32_t taps;
    int32_t outputs;
    edgeflow_mve_outputs to;
    edgeflow_mve_outputs_of_triples *triples;
    int32_t output_step; /* bytes from a pixel's outputs to the next one's */
    const uint32_t *packed;
    edgeflow_mve_unpack *unpack;
    int32_t four_words;
    int32_t last_words;
};

/* `count` pixels of `taps` bytes, `step` bytes apart; writes count * `outputs` bytes. The outputs of
 * each three pixels are written while those are read; with packed weights, those of all pixels.
 * `memory` is for packed weights alone: four outputs as int8, up to a whole packed word, and 16
 * bytes more. */
void edgeflow_mve_pixels(const edgeflow_mve_dot *dot, const int8_t *pixels, int32_t step,
                         int32_t count, int8_t *memory, int8_t *output);

/* The same for 3 * `triples` pixels, and for `count` pixels one by one; at least one. The narrow form
 * is for at most 16 taps and reads 16 bytes from each channel's first weight on. */
edgeflow_mve_outputs_of_triples edgeflow_mve_triples;
edgeflow_mve_outputs_of_triples edgeflow_mve_narrow_triples;
void edgeflow_mve_singles(const edgeflow_mve_dot *dot, const int8_t *pixels, int32_t step,
                          int32_t count, int8_t *output);

#endif
