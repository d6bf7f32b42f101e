/* Narrows int8 values to the range of an activation. */
#ifndef EDGEFLOW_DSP_CLAMP_H
#define EDGEFLOW_DSP_CLAMP_H

#include <stdint.h>

typedef struct {
    int32_t elements;
    int32_t minimum;
    int32_t maximum;
} edgeflow_dsp_clamp_layer;

void edgeflow_dsp_clamp(const edgeflow_dsp_clamp_layer *layer, int8_t *values);

#endif
