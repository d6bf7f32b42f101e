/* Mean over dimensions of an int8 tensor. */
#ifndef EDGEFLOW_MEAN_H
#define EDGEFLOW_MEAN_H

#include <stdint.h>

/* Neighbouring dimensions that are all kept or all averaged count as one, so two of each suffice. */
typedef struct {
    int32_t size;
    int32_t step; /* input elements from one index to the next */
} edgeflow_dimension;

typedef struct {
    edgeflow_dimension kept[2];
    edgeflow_dimension averaged[2];
    int32_t input_offset; /* minus the input zero point, times the number of averaged elements */
    int32_t multiplier;   /* holds the division by that number */
    int32_t shift;
    int32_t minimum; /* bounds before the zero point is added */
    int32_t maximum;
    int32_t zero_point;
} edgeflow_mean_layer;

void edgeflow_mean(const edgeflow_mean_layer *layer, const int8_t *input, int8_t *output);

#endif
