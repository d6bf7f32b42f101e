#include "edgeflow_fixed_point.h"
#include "edgeflow_pool_2d.h"

static int32_t window_sum(const edgeflow_pool_2d_layer *layer, const int8_t *plane,
                          const edgeflow_pool_window *window)
{
    int32_t sum = 0;
    for (int32_t row = window->top; row < window->bottom; row++) {
        for (int32_t column = window->left; column < window->right; column++) {
            sum += plane[(row * layer->input_width + column) * layer->channels];
        }
    }
    return sum;
}

/* sum / count, rounded to nearest, ties away from zero. */
static int32_t rounded_mean(int32_t sum, int32_t count)
{
    return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

void edgeflow_average_pool_2d(const edgeflow_pool_2d_layer *layer, const int8_t *input,
                              int8_t *output)
{
    for (int32_t y = 0; y < layer->output_height; y++) {
        for (int32_t x = 0; x < layer->output_width; x++) {
            const edgeflow_pool_window window = edgeflow_pool_window_at(layer, y, x);
            const int32_t count = (window.bottom - window.top) * (window.right - window.left);
            for (int32_t channel = 0; channel < layer->channels; channel++) {
                const int32_t sum = window_sum(layer, input + channel, &window);
                const int32_t mean = rounded_mean(sum, count);
                *output++ = (int8_t)edgeflow_clamp(mean, layer->minimum, layer->maximum);
            }
        }
    }
}
