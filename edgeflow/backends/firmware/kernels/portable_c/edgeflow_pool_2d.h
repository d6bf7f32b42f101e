/* Average and maximum pooling, NHWC, int8; the padding does not count. */
#ifndef EDGEFLOW_POOL_2D_H
#define EDGEFLOW_POOL_2D_H

#include <stdint.h>

typedef struct {
    int32_t input_height;
    int32_t input_width;
    int32_t channels;
    int32_t output_height;
    int32_t output_width;
    int32_t filter_height;
    int32_t filter_width;
    int32_t stride_height;
    int32_t stride_width;
    int32_t pad_top;
    int32_t pad_left;
    int32_t minimum;
    int32_t maximum;
} edgeflow_pool_2d_layer;

void edgeflow_average_pool_2d(const edgeflow_pool_2d_layer *layer, const int8_t *input,
                              int8_t *output);
void edgeflow_max_pool_2d(const edgeflow_pool_2d_layer *layer, const int8_t *input,
                          int8_t *output);

#endif
