#include "edgeflow_mve_dot.h"

static void outputs_of_pixels(const edgeflow_mve_dot *dot, const int8_t *pixels, int32_t step,
                              int32_t count, int8_t *output)
{
    const int32_t triples = count / 3;
    const int32_t singles = count - 3 * triples;
    if (triples > 0) {
        dot->triples(dot, pixels, step, triples, output);
    }
    if (singles > 0) {
        edgeflow_mve_singles(dot, pixels + 3 * triples * step, step, singles,
                             output + 3 * triples * dot->output_step);
    }
}

void edgeflow_mve_pixels(const edgeflow_mve_dot *dot, const int8_t *pixels, int32_t step,
                         int32_t count, int8_t *memory, int8_t *output)
{
    if (!dot->packed) {
        outputs_of_pixels(dot, pixels, step, count, output);
        return;
    }
    const uint32_t *packed = dot->packed;
    edgeflow_mve_dot four = *dot;
    four.weights = memory;
    for (int32_t left = dot->outputs; left > 0; left -= 4) {
        const edgeflow_unpack_layer words = {left <= 4 ? dot->last_words : dot->four_words};
        dot->unpack(&words, packed, memory);
        four.outputs = left < 4 ? left : 4;
        outputs_of_pixels(&four, pixels, step, count, output);
        packed += dot->four_words;
        four.constants += 9;
        output += 4;
    }
}

/* What the assembler files do, for hosts without MVE. */
#if !defined(__ARM_FEATURE_MVE)

void edgeflow_mve_singles(const edgeflow_mve_dot *dot, const int8_t *pixels, int32_t step,
                          int32_t count, int8_t *output)
{
    for (int32_t pixel = 0; pixel < count; pixel++) {
        for (int32_t channel = 0; channel < dot->outputs; channel++) {
            const int8_t *weights = dot->weights + channel * dot->taps;
            const int32_t *constants = dot->constants + channel / 4 * 9;
            const int32_t lane = channel % 4;
            uint32_t sum = (uint32_t)constants[lane];
            for (int32_t tap = 0; tap < dot->taps; tap++) {
                sum += (uint32_t)(pixels[tap] * weights[tap]);
            }
            const int8_t minus_shift = (int8_t)((constants[8] >> (8 * lane)) & 0xFF);
            output[channel] = edgeflow_mve_rescale((int32_t)sum, constants[4 + lane], -minus_shift,
                                                   &dot->to);
        }
        output += dot->output_step;
        pixels += step;
    }
}

void edgeflow_mve_triples(const edgeflow_mve_dot *dot, const int8_t *pixels, int32_t step,
                          int32_t triples, int8_t *output)
{
    edgeflow_mve_singles(dot, pixels, step, 3 * triples, output);
}

void edgeflow_mve_narrow_triples(const edgeflow_mve_dot *dot, const int8_t *pixels, int32_t step,
                                 int32_t triples, int8_t *output)
{
    edgeflow_mve_singles(dot, pixels, step, 3 * triples, output);
}

#endif
