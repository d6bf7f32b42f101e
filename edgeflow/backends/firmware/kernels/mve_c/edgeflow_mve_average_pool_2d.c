#include "edgeflow_mve_pool_2d.h"
#include "edgeflow_taps.h"

/* A mean is sum / count, rounded to nearest, ties away from zero. Twice the numerator times
 * 2^31 / count, rounded up, has the quotient in its upper half: the numerator is below 2^16, so that
 * what rounding up adds is too little to reach the next quotient. `first` is the window's first
 * element inside the input. */
static void mean_of(const edgeflow_pool_2d_layer *layer, const int8_t *first, int32_t rows,
                    int32_t columns, int8_t *output)
{
    const int32_t channels = layer->channels;
    const int32_t row_step = layer->input_width * channels;
    const int32_t count = rows * columns;
#if defined(__ARM_FEATURE_MVE)
    const uint32_t reciprocal = (0x80000000u + (uint32_t)count - 1u) / (uint32_t)count;
    const uint32x4_t factor = vdupq_n_u32(reciprocal);
    const int16x8_t minimum = vdupq_n_s16((int16_t)layer->minimum);
    const int16x8_t maximum = vdupq_n_s16((int16_t)layer->maximum);
    for (int32_t channel = 0; channel < channels; channel += 8) {
        const mve_pred16_t valid = vctp16q((uint32_t)(channels - channel));
        int16x8_t sum = vdupq_n_s16(0);
        const int8_t *row = first + channel;
        for (int32_t y = rows; y > 0; y--) {
            const int8_t *from = row;
            for (int32_t x = columns; x > 0; x--) {
                sum = vaddq_s16(sum, vldrbq_z_s16(from, valid));
                from += channels;
            }
            row += row_step;
        }
        const uint16x8_t numerator =
            vaddq_n_u16(vreinterpretq_u16_s16(vabsq_s16(sum)), (uint16_t)(count / 2));
        const uint32x4_t even = vmulhq_u32(vshllbq_n_u16(numerator, 1), factor);
        const uint32x4_t odd = vmulhq_u32(vshlltq_n_u16(numerator, 1), factor);
        const uint16x8_t both = vmovntq_u32(vreinterpretq_u16_u32(even), odd);
        int16x8_t mean = vreinterpretq_s16_u16(both);
        mean = vnegq_m_s16(mean, mean, vcmpltq_n_s16(sum, 0));
        vstrbq_p_s16(output + channel, vminq_s16(vmaxq_s16(mean, minimum), maximum), valid);
    }
#else
    for (int32_t channel = 0; channel < channels; channel++) {
        int32_t sum = 0;
        for (int32_t y = 0; y < rows; y++) {
            for (int32_t x = 0; x < columns; x++) {
                sum += first[y * row_step + x * channels + channel];
            }
        }
        const int32_t mean = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
        output[channel] = edgeflow_mve_clamp(mean, layer->minimum, layer->maximum);
    }
#endif
}

void edgeflow_mve_average_pool_2d(const edgeflow_pool_2d_layer *layer, const int8_t *input,
                                  int8_t *output)
{
    for (int32_t y = 0; y < layer->output_height; y++) {
        const int32_t top = y * layer->stride_height - layer->pad_top;
        const edgeflow_taps rows =
            edgeflow_taps_inside(top, 1, layer->filter_height, layer->input_height);
        for (int32_t x = 0; x < layer->output_width; x++) {
            const int32_t left = x * layer->stride_width - layer->pad_left;
            const edgeflow_taps columns =
                edgeflow_taps_inside(left, 1, layer->filter_width, layer->input_width);
            const int32_t pixel = (top + rows.first) * layer->input_width + left + columns.first;
            mean_of(layer, input + pixel * layer->channels, rows.count, columns.count, output);
            output += layer->channels;
        }
    }
}
