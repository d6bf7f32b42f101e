#include "edgeflow_neon_depthwise_conv_2d.h"

#define GROUP 8

typedef edgeflow_neon_depthwise_conv_2d_layer depthwise_layer;

static void one_group(const depthwise_layer *layer, const int8_t *from, int32_t group, int32_t count,
                      int8_t *output)
{
    const int8_t *weights = layer->weights + group * layer->taps * GROUP;
    const int32_t first = group * GROUP;
    int32x4_t low = vld1q_s32(layer->to.bias + first);
    int32x4_t high = vld1q_s32(layer->to.bias + first + 4);
    for (int32_t tap = 0; tap < layer->taps; tap += 2) {
        const int8x8_t one = vld1_s8(from + layer->offsets[tap]);
        const int8x8_t other = vld1_s8(from + layer->offsets[tap + 1]);
        const int16x8_t both =
            vmlal_s8(vmull_s8(one, vld1_s8(weights)), other, vld1_s8(weights + GROUP));
        low = vaddw_s16(low, vget_low_s16(both));
        high = vaddw_high_s16(high, both);
        weights += 2 * GROUP;
    }
    edgeflow_neon_store(edgeflow_neon_scaled(low, first, &layer->to),
                        edgeflow_neon_scaled(high, first + 4, &layer->to), count, &layer->to,
                        output);
}

void edgeflow_neon_depthwise_conv_2d(const depthwise_layer *layer, const int8_t *input, int8_t *copy,
                                     int8_t *output)
{
    edgeflow_neon_copy(&layer->image, input, copy);
    for (int32_t y = 0; y < layer->output_height; y++) {
        for (int32_t run = 0; run < layer->runs; run++) {
            const int8_t *from = copy + y * layer->line_step + run * layer->run_step;
            int32_t group = 0;
            for (int32_t at = 0; at < layer->run_bytes; at += GROUP) {
                one_group(layer, from + at, group, layer->run_bytes - at, output + at);
                group = group + 1 == layer->groups ? 0 : group + 1;
            }
            output += layer->run_bytes;
        }
    }
}
