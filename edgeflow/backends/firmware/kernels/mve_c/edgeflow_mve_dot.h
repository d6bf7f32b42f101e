/* Inner products of pixels with the weights of all output channels, requantized to int8. */
#ifndef EDGEFLOW_MVE_DOT_H
#define EDGEFLOW_MVE_DOT_H

#include <stdint.h>

#include "edgeflow_mve.h"

/* Weights: [output][tap], without padding. Constants: for each four outputs their biases, the input
 * zero point folded in, their multipliers, and in the bytes of one word their shifts, negative as
 * VRSHL takes them; zeros fill up the last four. The assembler knows the offsets. */
typedef struct {
    const int8_t *weights;
    const int32_t *constants;
    int32_t taps;
    int32_t outputs;
    edgeflow_mve_outputs to;
} edgeflow_mve_dot;

/* `count` pixels of `taps` bytes, `step` bytes apart; writes count * `outputs` bytes. The outputs of
 * each three pixels are written while those are read. */
void edgeflow_mve_pixels(const edgeflow_mve_dot *dot, const int8_t *pixels, int32_t step,
                         int32_t count, int8_t *output);

/* The same for 3 * `triples` pixels, and for `count` pixels one by one; at least one. */
void edgeflow_mve_triples(const edgeflow_mve_dot *dot, const int8_t *pixels, int32_t step,
                          int32_t triples, int8_t *output);
void edgeflow_mve_singles(const edgeflow_mve_dot *dot, const int8_t *pixels, int32_t step,
                          int32_t count, int8_t *output);

#endif
