/* Windows of pooling: the part inside the input, and sums of four neighbouring channels. */
#ifndef EDGEFLOW_DSP_WINDOW_H
#define EDGEFLOW_DSP_WINDOW_H

#include <stdint.h>

#include "edgeflow_pool_2d.h"

/* `first` is the first element; steps are in elements. */
typedef struct {
    const int8_t *first;
    int32_t rows;
    int32_t row_step;
    int32_t columns;
    int32_t column_step;
} edgeflow_dsp_window;

/* The window of output pixel (y, x), padding left out. */
edgeflow_dsp_window edgeflow_dsp_window_at(const edgeflow_pool_2d_layer *layer,
                                           const int8_t *input, int32_t y, int32_t x);

/* Sums over a window of the four channels from `channel` on. */
void edgeflow_dsp_window_sums(const edgeflow_dsp_window *window, int32_t channel,
                              int32_t *sums);

/* The first of the four channels after `channel`: the last four may overlap those before. */
static inline int32_t edgeflow_dsp_next_four(int32_t channel, int32_t channels)
{
    const int32_t next = channel + 4;
    return next < channels && next > channels - 4 ? channels - 4 : next;
}

#endif
