/* Average and maximum pooling, NHWC, int8, for cores with MVE. */
#ifndef EDGEFLOW_MVE_POOL_2D_H
#define EDGEFLOW_MVE_POOL_2D_H

#include "edgeflow_mve.h"
#include "edgeflow_pool_2d.h"

/* For windows of at most 256 elements. */
void edgeflow_mve_average_pool_2d(const edgeflow_pool_2d_layer *layer, const int8_t *input,
                                  int8_t *output);
void edgeflow_mve_max_pool_2d(const edgeflow_pool_2d_layer *layer, const int8_t *input,
                              int8_t *output);

#endif
