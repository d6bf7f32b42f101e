#include "edgeflow_dsp_clamp.h"

#include "edgeflow_dsp.h"

static int32_t four_times(int32_t value)
{
    const uint32_t byte = (uint32_t)value & 0xFFu;
    return (int32_t)(byte * 0x01010101u);
}

void edgeflow_dsp_clamp(const edgeflow_dsp_clamp_layer *layer, int8_t *values)
{
    const int32_t low = layer->minimum;
    const int32_t high = layer->maximum;
    const int32_t four_low = four_times(low);
    const int32_t four_high = four_times(high);
    int32_t elements = layer->elements;
    for (; elements >= 4; elements -= 4) {
        const int32_t word = edgeflow_load_word(values);
        const int32_t raised = edgeflow_maximum_bytes(word, four_low);
        edgeflow_store_word(values, edgeflow_minimum_bytes(raised, four_high));
        values += 4;
    }
    for (; elements > 0; elements--) {
        const int32_t raised = *values < low ? low : *values;
        *values++ = (int8_t)(raised > high ? high : raised);
    }
}
