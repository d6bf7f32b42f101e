#include "edgeflow_linear_add.h"

#include "edgeflow_fixed_point.h"

void edgeflow_linear_add(const edgeflow_linear_add_layer *layer, const int8_t *first,
                         const int8_t *second, int8_t *output)
{
    /* A local copy, because a store to int8_t may alias the struct. */
    const edgeflow_linear_add_layer add = *layer;
    for (int32_t elements = add.elements; elements > 0; elements--) {
        const int32_t sum =
            add.base + *first++ * add.first_multiplier + *second++ * add.second_multiplier;
        *output++ = (int8_t)edgeflow_clamp(sum >> add.shift, add.minimum, add.maximum);
    }
}
