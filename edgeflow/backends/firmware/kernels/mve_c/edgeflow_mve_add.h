/* ADD of two int8 tensors of one shape, for cores with MVE. */
#ifndef EDGEFLOW_MVE_ADD_H
#define EDGEFLOW_MVE_ADD_H

#include <stdint.h>

#include "edgeflow_mve.h"

/* An output is (first * first_multiplier + second * second_multiplier + base) >> shift, clamped. The
 * generator has compared that with the operator for every pair of inputs. */
typedef struct {
    int32_t elements;
    int32_t first_multiplier;
    int32_t second_multiplier;
    int32_t base;
    int32_t minus_shift; /* VSHL shifts to the right by negative numbers */
    int32_t minimum;
    int32_t maximum;
} edgeflow_mve_add_layer;

/* The output may lie on an input. */
void edgeflow_mve_add(const edgeflow_mve_add_layer *layer, const int8_t *first,
                      const int8_t *second, int8_t *output);

#endif
