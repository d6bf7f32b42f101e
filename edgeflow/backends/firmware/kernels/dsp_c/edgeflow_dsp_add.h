/* ADD of two int8 tensors of one shape. */
#ifndef EDGEFLOW_DSP_ADD_H
#define EDGEFLOW_DSP_ADD_H

#include <stdint.h>

#include "edgeflow_dsp.h"

/* `coarse` is the operand of the larger scale, whose multiplier is exactly a half, so that its
 * value is a shift; `fine` has shift >= 1 and base = 1 << (shift - 1). */
typedef struct {
    int32_t elements;
    int32_t coarse_zero_point;
    int32_t fine_zero_point;
    edgeflow_dsp_scale fine;
    edgeflow_dsp_scale to;
} edgeflow_dsp_add_layer;

/* The output may lie on an input. */
void edgeflow_dsp_add(const edgeflow_dsp_add_layer *layer, const int8_t *coarse,
                      const int8_t *fine, int8_t *output);

/* The same where both operands are coarse. */
void edgeflow_dsp_add_equal_scales(const edgeflow_dsp_add_layer *layer, const int8_t *first,
                                   const int8_t *second, int8_t *output);

#endif
