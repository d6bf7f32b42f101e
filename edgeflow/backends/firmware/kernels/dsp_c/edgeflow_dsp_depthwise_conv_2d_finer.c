#include "edgeflow_dsp_depthwise_any.h"

static void run_plane(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                      const edgeflow_dsp_strip *strip, edgeflow_dsp_plane *plane, int32_t channel,
                      int8_t *output)
{
    const int32_t column_bytes = 2 * layer->columns.stride;
    edgeflow_dsp_strip_scale(layer, strip, channel, plane);
    if (plane->to.multiplier < 0) {
        plane->to.multiplier = -plane->to.multiplier;
        if (layer->columns.stride == 1) {
            edgeflow_dsp_plane_finer_neighbours(plane, strip->values, output);
        } else {
            edgeflow_dsp_plane_finer(plane, column_bytes, strip->values, output);
        }
    } else if (layer->columns.stride == 1) {
        edgeflow_dsp_plane_neighbours(plane, strip->values, output);
    } else {
        edgeflow_dsp_plane_any(plane, column_bytes, strip->values, output);
    }
}

void edgeflow_dsp_depthwise_conv_2d_finer(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                                          const int8_t *input, int8_t *memory, int8_t *output)
{
    depthwise(layer, input, memory, output);
}
