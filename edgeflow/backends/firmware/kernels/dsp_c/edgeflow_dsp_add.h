/* ADD of two int8 tensors of one shape, for cores with the DSP extension. */
#ifndef EDGEFLOW_DSP_ADD_H
#define EDGEFLOW_DSP_ADD_H

#include <stdint.h>

#include "edgeflow_linear_add.h"

/* As edgeflow_linear_add, but saturates instead of clamping. The output may lie on an input. */
void edgeflow_dsp_add(const edgeflow_linear_add_layer *layer, const int8_t *first,
                      const int8_t *second, int8_t *output);

#endif
