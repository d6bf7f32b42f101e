#include "edgeflow_dsp_depthwise_3x3.h"

static void run_plane(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                      const edgeflow_dsp_strip *strip, edgeflow_dsp_plane *plane,
                      const int8_t *taps, int8_t *output)
{
    run_plane_3x3(layer, strip, plane, taps, output);
}

void edgeflow_dsp_depthwise_conv_2d_3x3(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                                        const int8_t *input, int8_t *memory, int8_t *output)
{
    depthwise(layer, input, memory, output);
}
