/* Inner products of pixels with the weights of all output channels, requantized to int8. */
#ifndef EDGEFLOW_MVE_DOT_H
#define EDGEFLOW_MVE_DOT_H

#include <stdint.h>

#include "edgeflow_mve.h"

typedef struct edgeflow_mve_dot edgeflow_mve_dot;

/* What three pixels at a time take: edgeflow_mve_triples or edgeflow_mve_narrow_triples. */
typedef void edgeflow_mve_outputs_of_triples(const edgeflow_mve_dot *dot, const int8_t *pixels,
                                             int32_t step, int32_t triples, int8_t *output);

/* Weights: [output][tap]; below 16 taps, zeros fill up 16 bytes from the last output's first weight
 * on. Constants: for each four outputs their biases, the input zero point folded in, their
 * multipliers, and in the bytes of one word their shifts, negative as VRSHL takes them; zeros fill
 * up the last four. The assembler knows the offsets. */
struct edgeflow_mve_dot {
    const int8_t *weights;
    const int32_t *constants;
    int32_t taps;
    int32_t outputs;
    edgeflow_mve_outputs to;
    edgeflow_mve_outputs_of_triples *triples;
};

/* `count` pixels of `taps` bytes, `step` bytes apart; writes count * `outputs` bytes. The outputs of
 * each three pixels are written while those are read. */
void edgeflow_mve_pixels(const edgeflow_mve_dot *dot, const int8_t *pixels, int32_t step,
                         int32_t count, int8_t *output);

/* The same for 3 * `triples` pixels, and for `count` pixels one by one; at least one. The narrow form
 * is for at most 16 taps and reads 16 bytes from each channel's first weight on. */
edgeflow_mve_outputs_of_triples edgeflow_mve_triples;
edgeflow_mve_outputs_of_triples edgeflow_mve_narrow_triples;
void edgeflow_mve_singles(const edgeflow_mve_dot *dot, const int8_t *pixels, int32_t step,
                          int32_t count, int8_t *output);

#endif
