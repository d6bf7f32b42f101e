/* ADD of two int8 tensors of one shape as one linear form. */
#ifndef EDGEFLOW_LINEAR_ADD_H
#define EDGEFLOW_LINEAR_ADD_H

#include <stdint.h>

/* An output is (first * first_multiplier + second * second_multiplier + base) >> shift, clamped. The
 * generator has compared that with the operator for every pair of inputs. */
typedef struct {
    int32_t elements;
    int32_t first_multiplier;
    int32_t second_multiplier;
    int32_t base;
    int32_t shift;
    int32_t minimum;
    int32_t maximum;
} edgeflow_linear_add_layer;

/* The output may lie on an input. */
void edgeflow_linear_add(const edgeflow_linear_add_layer *layer, const int8_t *first,
                         const int8_t *second, int8_t *output);

#endif
