/* Operators of one int8 value: RELU, RELU6 and QUANTIZE rescale it, LOGISTIC looks it up. */
#ifndef EDGEFLOW_RESCALE_H
#define EDGEFLOW_RESCALE_H

#include <stdint.h>

typedef struct {
    int32_t elements;
    int32_t input_zero_point;
    int32_t multiplier;
    int32_t shift;
    int32_t minimum; /* bounds before the zero point is added */
    int32_t maximum;
    int32_t zero_point;
} edgeflow_rescale_layer;

/* The output may lie on the input. */
void edgeflow_rescale_tensor(const edgeflow_rescale_layer *layer, const int8_t *input,
                             int8_t *output);

typedef struct {
    int32_t elements;
} edgeflow_lookup_layer;

/* `table` holds the output for each input from -128 to 127; the output may lie on the input. */
void edgeflow_lookup(const edgeflow_lookup_layer *layer, const int8_t *input, const int8_t *table,
                     int8_t *output);

#endif
