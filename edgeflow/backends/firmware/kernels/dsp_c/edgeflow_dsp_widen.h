/* Widens int8 values to the int16 words that edgeflow_dsp_dot.h takes. */
#ifndef EDGEFLOW_DSP_WIDEN_H
#define EDGEFLOW_DSP_WIDEN_H

#include <stdint.h>

#include "edgeflow_dsp.h"

/* `count` values from any address, `step` words apart; a last word that is not full ends in zeros.
 * Returns where the next word goes. */
static inline edgeflow_word *edgeflow_dsp_widen(edgeflow_word *to, const int8_t *from,
                                                int32_t count, int32_t step)
{
    for (; count >= 8; count -= 8) {
        const int32_t first = edgeflow_load_word(from);
        const int32_t second = edgeflow_load_word(from + 4);
        to[0] = edgeflow_even_bytes(first);
        to[step] = edgeflow_odd_bytes(first);
        to[2 * step] = edgeflow_even_bytes(second);
        to[3 * step] = edgeflow_odd_bytes(second);
        to += 4 * step;
        from += 8;
    }
    if (count >= 4) {
        const int32_t word = edgeflow_load_word(from);
        to[0] = edgeflow_even_bytes(word);
        to[step] = edgeflow_odd_bytes(word);
        to += 2 * step;
        from += 4;
        count -= 4;
    }
    if (count > 0) {
        const int32_t second = count > 1 ? from[1] : 0;
        const int32_t third = count > 2 ? from[2] : 0;
        to[0] = (int32_t)(((uint32_t)third << 16) | ((uint32_t)from[0] & 0xFFFFu));
        to[step] = second & 0xFFFF;
        to += 2 * step;
    }
    return to;
}

#endif
