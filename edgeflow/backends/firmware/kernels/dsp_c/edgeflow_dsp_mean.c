#include "edgeflow_dsp_pool_2d.h"

#include "edgeflow_dsp_window.h"
#include "edgeflow_fixed_point.h"

void edgeflow_dsp_mean(const edgeflow_mean_layer *layer, const int8_t *input, int8_t *output)
{
    const int32_t channels = layer->kept[1].size;
    for (int32_t o = 0; o < layer->kept[0].size; o++) {
        const edgeflow_dsp_window window = {
            .first = input + o * layer->kept[0].step,
            .rows = layer->averaged[0].size,
            .row_step = layer->averaged[0].step,
            .columns = layer->averaged[1].size,
            .column_step = layer->averaged[1].step,
        };
        int32_t channel = 0;
        while (channel < channels) {
            int32_t sums[4];
            edgeflow_dsp_window_sums(&window, channel, sums);
            for (int32_t i = 0; i < 4; i++) {
                const int32_t scaled = edgeflow_rescale(sums[i] + layer->input_offset,
                                                        layer->multiplier, layer->shift);
                const int32_t clamped = edgeflow_clamp(scaled, layer->minimum, layer->maximum);
                output[channel + i] = (int8_t)(clamped + layer->zero_point);
            }
            channel = edgeflow_dsp_next_four(channel, channels);
        }
        output += channels;
    }
}
