#include "edgeflow_dsp_add.h"

#include "edgeflow_dsp.h"

static inline int8_t sum_of(const edgeflow_linear_add_layer *add, int32_t first, int32_t second)
{
    const int32_t sum =
        add->base + first * add->first_multiplier + second * add->second_multiplier;
    return (int8_t)edgeflow_saturate_int8(sum >> add->shift);
}

void edgeflow_dsp_add(const edgeflow_linear_add_layer *layer, const int8_t *first,
                      const int8_t *second, int8_t *output)
{
    /* A local copy, because a store to int8_t may alias the struct. */
    const edgeflow_linear_add_layer add = *layer;
    int32_t elements = add.elements;
    for (; elements >= 4; elements -= 4) {
        output[0] = sum_of(&add, first[0], second[0]);
        output[1] = sum_of(&add, first[1], second[1]);
        output[2] = sum_of(&add, first[2], second[2]);
        output[3] = sum_of(&add, first[3], second[3]);
        first += 4;
        second += 4;
        output += 4;
    }
    for (; elements > 0; elements--) {
        *output++ = sum_of(&add, *first++, *second++);
    }
}
