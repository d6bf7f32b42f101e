#include "edgeflow_fixed_point.h"
#include "edgeflow_pool_2d.h"

static int32_t window_maximum(const edgeflow_pool_2d_layer *layer, const int8_t *plane,
                              const edgeflow_pool_window *window)
{
    int32_t largest = INT8_MIN;
    for (int32_t row = window->top; row < window->bottom; row++) {
        for (int32_t column = window->left; column < window->right; column++) {
            const int32_t value = plane[(row * layer->input_width + column) * layer->channels];
            largest = edgeflow_larger(largest, value);
        }
    }
    return largest;
}

void edgeflow_max_pool_2d(const edgeflow_pool_2d_layer *layer, const int8_t *input, int8_t *output)
{
    for (int32_t y = 0; y < layer->output_height; y++) {
        for (int32_t x = 0; x < layer->output_width; x++) {
            const edgeflow_pool_window window = edgeflow_pool_window_at(layer, y, x);
            for (int32_t channel = 0; channel < layer->channels; channel++) {
                const int32_t largest = window_maximum(layer, input + channel, &window);
                *output++ = (int8_t)edgeflow_clamp(largest, layer->minimum, layer->maximum);
            }
        }
    }
}
