/* ADD of two int8 tensors of one shape as one linear form: `edgeflow_linear_add.h` in vectors. */
#ifndef EDGEFLOW_NEON_ADD_H
#define EDGEFLOW_NEON_ADD_H

#include "edgeflow_linear_add.h"

/* The output may lie on an input. */
void edgeflow_neon_add(const edgeflow_linear_add_layer *layer, const int8_t *first,
                       const int8_t *second, int8_t *output);

#endif
