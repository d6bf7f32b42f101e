#include "edgeflow_mve_columns.h"

#include "edgeflow_mve_copy.h"

#define LARGEST_OFFSET 255

edgeflow_mve_columns edgeflow_mve_columns_of(const edgeflow_mve_conv_2d_layer *layer,
                                             const int8_t *input)
{
    const int32_t channels = layer->input_channels;
    const int32_t column_bytes = layer->filter_height * channels;
    edgeflow_mve_columns columns = {input, 0, EDGEFLOW_MVE_VECTOR_BYTES / channels, {0}};
    while (columns.together * column_bytes > LARGEST_OFFSET) {
        columns.together--;
    }
    for (int32_t i = 0; i < columns.together * channels; i++) {
        columns.scatter[i] = (uint8_t)(i / channels * column_bytes + i % channels);
    }
    return columns;
}

/* One filter row of `count` columns inside the input. */
static void copy_row(const edgeflow_mve_conv_2d_layer *layer, const edgeflow_mve_columns *columns,
                     const int8_t *from, int32_t count, int8_t *to)
{
    const int32_t channels = layer->input_channels;
    const int32_t column_bytes = layer->filter_height * channels;
#if defined(__ARM_FEATURE_MVE)
    const int32_t together = columns->together;
    if (together > 1) {
        const uint8x16_t offsets = vldrbq_u8(columns->scatter);
        const int32_t bytes = together * channels;
        const int32_t step = together * column_bytes;
        const mve_pred16_t whole = vctp8q((uint32_t)bytes);
        for (; count >= together; count -= together) {
            vstrbq_scatter_offset_p_s8(to, offsets, vldrbq_z_s8(from, whole), whole);
            from += bytes;
            to += step;
        }
        const mve_pred16_t rest = vctp8q((uint32_t)(count * channels));
        vstrbq_scatter_offset_p_s8(to, offsets, vldrbq_z_s8(from, rest), rest);
        return;
    }
    if (channels == EDGEFLOW_MVE_VECTOR_BYTES) {
        for (; count > 0; count--) {
            vstrbq_s8(to, vldrbq_s8(from));
            from += EDGEFLOW_MVE_VECTOR_BYTES;
            to += column_bytes;
        }
        return;
    }
#else
    (void)columns;
#endif
    for (; count > 0; count--) {
        edgeflow_mve_copy(to, from, channels);
        from += channels;
        to += column_bytes;
    }
}

void edgeflow_mve_gather_columns(const edgeflow_mve_conv_2d_layer *layer,
                                 const edgeflow_mve_columns *columns, int32_t first,
                                 int32_t count, int8_t *to)
{
    const int32_t channels = layer->input_channels;
    const int32_t column_bytes = layer->filter_height * channels;
    const int32_t end = first + count;
    const int32_t inside = first < 0 ? 0 : first;
    const int32_t inside_end = end > layer->input_width ? layer->input_width : end;
    const int32_t last = columns->top + (layer->filter_height - 1) * layer->dilation_height;
    if (columns->top < 0 || last >= layer->input_height || inside >= inside_end) {
        edgeflow_mve_fill(to, layer->input_zero_point, count * column_bytes);
    } else {
        edgeflow_mve_fill(to, layer->input_zero_point, (inside - first) * column_bytes);
        edgeflow_mve_fill(to + (inside_end - first) * column_bytes, layer->input_zero_point,
                          (end - inside_end) * column_bytes);
    }
    if (inside >= inside_end) {
        return;
    }
    to += (inside - first) * column_bytes;
    for (int32_t row = columns->top; row <= last; row += layer->dilation_height) {
        if (row >= 0 && row < layer->input_height) {
            const int8_t *from = columns->input + (row * layer->input_width + inside) * channels;
            copy_row(layer, columns, from, inside_end - inside, to);
        }
        to += channels;
    }
}
