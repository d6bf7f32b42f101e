#include "edgeflow_neon_conv_2d.h"

#define LANES 16
#define MOST_PIXELS 4

typedef edgeflow_neon_conv_2d_layer conv_layer;

EDGEFLOW_INLINE int8x8_t word(const int8_t *from)
{
    int32_t bytes;
    __builtin_memcpy(&bytes, from, 4);
    return vreinterpret_s8_s32(vdup_n_s32(bytes));
}

/* Writes sums of four channels each for `count` pixels and sixteen channels. */
#ifdef __ARM_FEATURE_DOTPROD

/* The word `lane` of each pixel's sixteen bytes with sixteen channels. */
#define LANE(lane)                                                                                  \
    for (int part = 0; part < 4; part++) {                                                          \
        const int8x16_t w = vld1q_s8(weights + lane * 64 + part * 16);                              \
        for (int p = 0; p < count; p++) {                                                           \
            sums[p][part] = vdotq_laneq_s32(sums[p][part], w, x[p], lane);                          \
        }                                                                                           \
    }

EDGEFLOW_INLINE void products(const conv_layer *layer, const int8_t *pixels, const int8_t *weights,
                              const int count, int32x4_t sums[][4])
{
    for (int32_t row = 0; row < layer->filter_rows; row++) {
        const int8_t *from = pixels + row * layer->filter_row_step;
        int32_t left = layer->filter_words;
        int8x16_t x[MOST_PIXELS];
        for (; left >= 4; left -= 4) {
            for (int p = 0; p < count; p++) {
                x[p] = vld1q_s8(from + p * layer->pixel_step);
            }
            LANE(0)
            LANE(1)
            LANE(2)
            LANE(3)
            weights += 256;
            from += 16;
        }
        for (; left >= 2; left -= 2) { /* the number of words is even */
            for (int p = 0; p < count; p++) {
                x[p] = vcombine_s8(vld1_s8(from + p * layer->pixel_step), vdup_n_s8(0));
            }
            LANE(0)
            LANE(1)
            weights += 128;
            from += 8;
        }
    }
}

#else

/* Two words at a time: of two channels the products of the first and of the second add in lanes of 16
 * bits, and neighbouring lanes in those of 32. */
EDGEFLOW_INLINE void products(const conv_layer *layer, const int8_t *pixels, const int8_t *weights,
                              const int count, int32x4_t sums[][4])
{
    int32x4_t pairs[2][8];
#pragma GCC unroll 2
    for (int p = 0; p < count; p++) {
#pragma GCC unroll 8
        for (int part = 0; part < 8; part++) {
            pairs[p][part] = vdupq_n_s32(0);
        }
    }
    for (int32_t row = 0; row < layer->filter_rows; row++) {
        const int8_t *from = pixels + row * layer->filter_row_step;
        for (int32_t at = 0; at < layer->filter_words; at += 2) {
#pragma GCC unroll 8
            for (int part = 0; part < 8; part++) {
                const int8x8_t first = vld1_s8(weights + part * 8);
                const int8x8_t second = vld1_s8(weights + 64 + part * 8);
#pragma GCC unroll 2
                for (int p = 0; p < count; p++) {
                    const int8_t *x = from + p * layer->pixel_step;
                    const int16x8_t both = vmlal_s8(vmull_s8(first, word(x)), second, word(x + 4));
                    pairs[p][part] = vpadalq_s16(pairs[p][part], both);
                }
            }
            weights += 128;
            from += 8;
        }
    }
#pragma GCC unroll 2
    for (int p = 0; p < count; p++) {
#pragma GCC unroll 4
        for (int part = 0; part < 4; part++) {
            const int32x4_t added = vpaddq_s32(pairs[p][2 * part], pairs[p][2 * part + 1]);
            sums[p][part] = vaddq_s32(sums[p][part], added);
        }
    }
}

#endif

EDGEFLOW_INLINE void block_of(const conv_layer *layer, const int8_t *pixels, int32_t block,
                              int8_t *output, const int count)
{
    const int32_t first = block * LANES;
    const int8_t *weights = layer->weights + first * layer->filter_rows * layer->filter_words * 4;
    int32x4_t sums[MOST_PIXELS][4];
#pragma GCC unroll 4
    for (int p = 0; p < count; p++) {
#pragma GCC unroll 4
        for (int part = 0; part < 4; part++) {
            sums[p][part] = vld1q_s32(layer->to.bias + first + part * 4);
        }
    }
    products(layer, pixels, weights, count, sums);
#pragma GCC unroll 4
    for (int p = 0; p < count; p++) {
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++) {
            const int32_t channel = first + half * 8;
            edgeflow_neon_store(
                edgeflow_neon_scaled(sums[p][2 * half], channel, &layer->to),
                edgeflow_neon_scaled(sums[p][2 * half + 1], channel + 4, &layer->to),
                layer->outputs - channel, &layer->to, output + p * layer->outputs + half * 8);
        }
    }
}

#ifdef __ARM_FEATURE_DOTPROD
#define TOGETHER 4
#else
#define TOGETHER 2
#endif

/* Pixels of one output row; the last ones alone. */
static void convolve_row(const conv_layer *layer, const int8_t *row, int32_t block, int8_t *output)
{
    int32_t x = 0;
    for (; x + TOGETHER <= layer->output_width; x += TOGETHER) {
        block_of(layer, row + x * layer->pixel_step, block, output + x * layer->outputs, TOGETHER);
    }
    for (; x < layer->output_width; x++) {
        block_of(layer, row + x * layer->pixel_step, block, output + x * layer->outputs, 1);
    }
}

void edgeflow_neon_conv_2d(const conv_layer *layer, const int8_t *input, int8_t *copy,
                           int8_t *output)
{
    edgeflow_neon_copy(&layer->image, input, copy);
    for (int32_t block = 0; block < layer->blocks; block++) {
        for (int32_t y = 0; y < layer->output_height; y++) {
            int8_t *to = output + y * layer->output_width * layer->outputs;
            convolve_row(layer, copy + y * layer->line_step, block, to + block * LANES);
        }
    }
}
