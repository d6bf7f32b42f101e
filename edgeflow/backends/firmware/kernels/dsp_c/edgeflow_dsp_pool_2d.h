/* Pooling and mean of four neighbouring channels at a time, for cores with the DSP extension. */
#ifndef EDGEFLOW_DSP_POOL_2D_H
#define EDGEFLOW_DSP_POOL_2D_H

#include <stdint.h>

#include "edgeflow_mean.h"
#include "edgeflow_pool_2d.h"

/* The same results as the functions without `dsp`, for 4 channels or more. */
void edgeflow_dsp_average_pool_2d(const edgeflow_pool_2d_layer *layer, const int8_t *input,
                                  int8_t *output);
void edgeflow_dsp_max_pool_2d(const edgeflow_pool_2d_layer *layer, const int8_t *input,
                              int8_t *output);

/* Where the inner kept dimension has steps of 1 and a size of 4 or more. */
void edgeflow_dsp_mean(const edgeflow_mean_layer *layer, const int8_t *input, int8_t *output);

#endif
