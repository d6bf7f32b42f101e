#include "edgeflow_dsp_depthwise_any.h"

static void run_plane(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                      const edgeflow_dsp_strip *strip, edgeflow_dsp_plane *plane, int32_t channel,
                      int8_t *output)
{
    edgeflow_dsp_strip_scale(layer, strip, channel, plane);
    if (layer->columns.stride == 1) {
        edgeflow_dsp_plane_neighbours(plane, strip->values, output);
    } else {
        edgeflow_dsp_plane_any(plane, 2 * layer->columns.stride, strip->values, output);
    }
}

void edgeflow_dsp_depthwise_conv_2d(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                                    const int8_t *input, int8_t *memory, int8_t *output)
{
    depthwise(layer, input, memory, output);
}
