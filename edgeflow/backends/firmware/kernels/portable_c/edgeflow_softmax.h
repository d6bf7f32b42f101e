/* Softmax over the last dimension of an int8 tensor; output scale 1/256, zero point -128. */
#ifndef EDGEFLOW_SOFTMAX_H
#define EDGEFLOW_SOFTMAX_H

#include <stdint.h>

typedef struct {
    int32_t rows;
    int32_t classes;
    int32_t multiplier; /* difference to the row's maximum -> Q5.26 */
    int32_t left_shift;
    int32_t difference_minimum; /* what lies lower counts as minus infinity */
} edgeflow_softmax_layer;

void edgeflow_softmax(const edgeflow_softmax_layer *layer, const int8_t *input, int8_t *output);

#endif
