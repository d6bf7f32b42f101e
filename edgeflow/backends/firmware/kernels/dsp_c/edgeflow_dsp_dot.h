/* Inner products of pixels with the weights of all output channels, requantized to int8.
 *
 * Two output channels share each weight word. With w0 and w1 their weights of one tap, a 16-bit
 * lane holds 256 * w1 + w0, so that a dual multiply-accumulate of the lanes sums 256 * s1 + s0, one of
 * the lanes' low bytes sums s0, and s1 is their difference over 256. That saves unpacking one of
 * the two channels. The generator proves that 256 * s1 + s0 fits 32 bits for every input.
 *
 * Narrow weights are stored as w + 8 (int4) or w + 2 (int2), which needs no sign, and two or four such
 * words lie in one: their bytes are fields of its bytes, the first one's the lowest.
 */
#ifndef EDGEFLOW_DSP_DOT_H
#define EDGEFLOW_DSP_DOT_H

#include <stdint.h>

#include "edgeflow_dsp.h"

typedef struct edgeflow_dsp_dot edgeflow_dsp_dot;

/* Pixels are widened to int16: words of the same tap order as the weights'. Writes `outputs` bytes
 * for each pixel. */
typedef void edgeflow_dsp_pixels(const edgeflow_dsp_dot *dot, const edgeflow_word *pixels,
                                 int8_t *output);

/* `taps` is a multiple of 4 (int2: 8), shorter filters are padded with weights of zero. Weights: for
 * each pair of channels and each four taps, the word of taps 0 and 2, then that of taps 1 and 3. An
 * odd number of outputs ends with a pair whose channel 1 is not stored.
 *
 * Two constants for each channel, an even number of them: 256 times the bias, the input zero point
 * folded in, plus the shift; and the multiplier. `base` is 2 * output zero point + 1: see
 * edgeflow_dsp_rescale. With narrow weights the shift stands for edgeflow_dsp_narrow_rescale. The assembler knows the order of the fields. */
struct edgeflow_dsp_dot {
    const uint32_t *weights;
    const int32_t *channels;
    int32_t taps;
    int32_t outputs;
    int32_t base;
    edgeflow_dsp_pixels *one_pixel; /* those of the width of the weights */
    edgeflow_dsp_pixels *three_pixels;
};

edgeflow_dsp_pixels edgeflow_dsp_one_pixel;
edgeflow_dsp_pixels edgeflow_dsp_int4_one_pixel;
edgeflow_dsp_pixels edgeflow_dsp_int2_one_pixel;

/* Words of three pixels are interleaved. */
edgeflow_dsp_pixels edgeflow_dsp_three_pixels;
edgeflow_dsp_pixels edgeflow_dsp_int4_three_pixels;
edgeflow_dsp_pixels edgeflow_dsp_int2_three_pixels;

#endif
