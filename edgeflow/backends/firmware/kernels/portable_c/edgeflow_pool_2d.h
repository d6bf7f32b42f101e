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

/* The part of a window that lies on the input: rows top..bottom-1, columns left..right-1. */
typedef struct {
    int32_t top;
    int32_t bottom;
    int32_t left;
    int32_t right;
} edgeflow_pool_window;

static inline int32_t edgeflow_larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static inline int32_t edgeflow_smaller(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static inline edgeflow_pool_window edgeflow_pool_window_at(const edgeflow_pool_2d_layer *layer,
                                                           int32_t y, int32_t x)
{
    const int32_t top = y * layer->stride_height - layer->pad_top;
    const int32_t left = x * layer->stride_width - layer->pad_left;
    const edgeflow_pool_window window = {
        .top = edgeflow_larger(top, 0),
        .bottom = edgeflow_smaller(top + layer->filter_height, layer->input_height),
        .left = edgeflow_larger(left, 0),
        .right = edgeflow_smaller(left + layer->filter_width, layer->input_width),
    };
    return window;
}

#endif
