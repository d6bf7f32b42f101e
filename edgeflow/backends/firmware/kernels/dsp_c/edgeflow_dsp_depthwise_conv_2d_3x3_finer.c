#include "edgeflow_dsp_depthwise_3x3.h"

/* One channel with a scale of 1/2 or more; its multiplier is marked. */
static void run_finer(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                      const edgeflow_dsp_strip *strip, edgeflow_dsp_plane *plane,
                      const int8_t *taps, int8_t *output)
{
    edgeflow_word words[6];
    for (int32_t row = 0; row < 3; row++) {
        words[2 * row] = lanes(taps[3 * row], taps[3 * row + 1]);
        words[2 * row + 1] = lanes(taps[3 * row + 2], 0);
    }
    plane->filter = words;
    plane->filter_words = 2;
    plane->filter_rows = 3;
    plane->to.multiplier = -plane->to.multiplier;
    if (layer->columns.stride == 1) {
        edgeflow_dsp_plane_finer_neighbours(plane, strip->values, output);
    } else {
        edgeflow_dsp_plane_finer(plane, 2 * layer->columns.stride, strip->values, output);
    }
}

static void run_plane(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                      const edgeflow_dsp_strip *strip, edgeflow_dsp_plane *plane,
                      const int8_t *taps, int8_t *output)
{
    if (plane->to.multiplier < 0) {
        run_finer(layer, strip, plane, taps, output);
    } else {
        run_plane_3x3(layer, strip, plane, taps, output);
    }
}

void edgeflow_dsp_depthwise_conv_2d_3x3_finer(const edgeflow_dsp_depthwise_conv_2d_layer *layer,
                                              const int8_t *input, int8_t *memory, int8_t *output)
{
    depthwise(layer, input, memory, output);
}
