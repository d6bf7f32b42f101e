#include "edgeflow_mve.h"
#include "edgeflow_rescale.h"

void edgeflow_lookup(const edgeflow_lookup_layer *layer, const int8_t *input, const int8_t *table,
                     int8_t *output)
{
#if defined(__ARM_FEATURE_MVE)
    /* Offsets of a gather are unsigned: inputs from -128 on are those from 0 on with bit 7 flipped. */
    const int8x16_t bit_7 = vdupq_n_s8(INT8_MIN);
    for (int32_t elements = layer->elements; elements > 0; elements -= 16) {
        const mve_pred16_t valid = vctp8q((uint32_t)elements);
        const int8x16_t from_0 = veorq_s8(vldrbq_z_s8(input, valid), bit_7);
        const int8x16_t found =
            vldrbq_gather_offset_z_s8(table, vreinterpretq_u8_s8(from_0), valid);
        vstrbq_p_s8(output, found, valid);
        input += 16;
        output += 16;
    }
#else
    for (int32_t i = 0; i < layer->elements; i++) {
        output[i] = table[input[i] + 128];
    }
#endif
}
