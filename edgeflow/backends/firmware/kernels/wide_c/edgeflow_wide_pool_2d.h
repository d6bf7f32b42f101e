/* Pooling, NHWC, int8, with neighbouring channels in the inner loops, where compilers vectorize. */
#ifndef EDGEFLOW_WIDE_POOL_2D_H
#define EDGEFLOW_WIDE_POOL_2D_H

#include "edgeflow_pool_2d.h"

void edgeflow_wide_average_pool_2d(const edgeflow_pool_2d_layer *layer, const int8_t *input,
                                  int8_t *output);
void edgeflow_wide_max_pool_2d(const edgeflow_pool_2d_layer *layer, const int8_t *input,
                              int8_t *output);

#endif
