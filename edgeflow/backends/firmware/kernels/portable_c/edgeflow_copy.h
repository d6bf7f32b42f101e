/* Copies of tensors and of parts of them: PAD, CONCATENATION, RESHAPE of a constant. */
#ifndef EDGEFLOW_COPY_H
#define EDGEFLOW_COPY_H

#include <stdint.h>

/* `count` pieces of `size` elements, `input_step` and `output_step` elements apart. */
typedef struct {
    int32_t count;
    int32_t size;
    int32_t input_step;
    int32_t output_step;
} edgeflow_copy_layer;

void edgeflow_copy(const edgeflow_copy_layer *layer, const int8_t *input, int8_t *output);

/* Sizes of a tensor of up to four dimensions, leading ones first. */
typedef struct {
    int32_t input[4];
    int32_t before[4]; /* elements of padding before each dimension */
    int32_t output[4];
    int32_t value;
} edgeflow_pad_layer;

void edgeflow_pad(const edgeflow_pad_layer *layer, const int8_t *input, int8_t *output);

#endif
