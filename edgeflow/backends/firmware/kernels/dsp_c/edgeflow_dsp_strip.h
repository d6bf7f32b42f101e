/* Strips of a channel: filling the plane for some output rows of a depthwise convolution. */
#ifndef EDGEFLOW_DSP_STRIP_H
#define EDGEFLOW_DSP_STRIP_H

#include <stdint.h>

#include "edgeflow_dsp_depthwise_conv_2d.h"

/* Output rows, and the part of the plane for them that lies on the input. */
typedef struct {
    int32_t first; /* output row */
    int32_t rows;  /* of outputs */
    const int8_t *input;
    edgeflow_word *values; /* the plane */
    int32_t row;           /* of the plane: the first on the input */
    int32_t inside_rows;
    int32_t inside_columns;
} edgeflow_dsp_strip;

/* The strip from output row `first` on; fills the plane with the input's zero point. */
edgeflow_dsp_strip edgeflow_dsp_strip_at(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                                         const int8_t *input, edgeflow_word *values,
                                         int32_t first);

/* Writes one channel's values onto those of the channel before; padding stays. */
void edgeflow_dsp_strip_channel(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                                const edgeflow_dsp_strip *strip, int32_t channel);

/* The plane of a strip; what belongs to a channel is still to be set. */
edgeflow_dsp_plane edgeflow_dsp_strip_plane(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                                            const edgeflow_dsp_strip *strip);

/* What belongs to an output channel but for its weights. */
void edgeflow_dsp_strip_scale(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                              const edgeflow_dsp_strip *strip, int32_t channel,
                              edgeflow_dsp_plane *plane);

#endif
