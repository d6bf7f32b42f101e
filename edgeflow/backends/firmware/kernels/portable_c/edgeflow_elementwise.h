/* ADD and MUL of two int8 tensors, one of which may repeat. */
#ifndef EDGEFLOW_ELEMENTWISE_H
#define EDGEFLOW_ELEMENTWISE_H

#include <stdint.h>

/* Element (o, i) of an operand lies at o * outer_step + i * inner_step. */
typedef struct {
    int32_t outer_step;
    int32_t inner_step;
    int32_t zero_point;
    int32_t multiplier; /* ADD alone */
    int32_t shift;      /* ADD alone */
} edgeflow_operand;

typedef struct {
    int32_t outer;
    int32_t inner;
    edgeflow_operand first;
    edgeflow_operand second;
    int32_t left_shift; /* ADD alone: headroom before the operands are rescaled */
    int32_t multiplier;
    int32_t shift;
    int32_t minimum; /* bounds before the zero point is added */
    int32_t maximum;
    int32_t zero_point;
} edgeflow_elementwise_layer;

/* The output may lie on an operand that does not repeat. */
void edgeflow_add(const edgeflow_elementwise_layer *layer, const int8_t *first,
                  const int8_t *second, int8_t *output);
void edgeflow_mul(const edgeflow_elementwise_layer *layer, const int8_t *first,
                  const int8_t *second, int8_t *output);

#endif
