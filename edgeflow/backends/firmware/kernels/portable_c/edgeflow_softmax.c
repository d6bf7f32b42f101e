#include "edgeflow_softmax.h"

#include "edgeflow_fixed_point.h"

/* Qm.n has m integer and n fraction bits; the sum of exponentials is kept in Q12.19. */
#define SUM_INTEGER_BITS 12
#define OUTPUT_BITS 8

/* exp(x) for x in [-1/4, 0), both Q0.31: the Taylor series around -1/8 to the fourth order. */
static int32_t exp_near_zero(int32_t value)
{
    const int32_t exp_of_minus_one_eighth = 1895147668;
    const int32_t one_third = 715827883;
    const int32_t x = value + ((int32_t)1 << 28);
    const int32_t x2 = edgeflow_high_multiply(x, x);
    const int32_t x3 = edgeflow_high_multiply(x2, x);
    const int32_t x4 = edgeflow_high_multiply(x2, x2);
    const int32_t x4_over_4 = edgeflow_rounding_shift_right(x4, 2);
    const int32_t cubic_and_quartic = edgeflow_high_multiply(x4_over_4 + x3, one_third);
    const int32_t tail = edgeflow_rounding_shift_right(cubic_and_quartic + x2, 1);
    return exp_of_minus_one_eighth + edgeflow_high_multiply(exp_of_minus_one_eighth, x + tail);
}

/* exp(x) for x <= 0 in Q5.26; the result is in Q0.31. */
static int32_t exp_of_negative(int32_t value)
{
    /* exp(-2^e) in Q0.31 for e from -2 to 4 */
    static const int32_t factors[7] = {
        1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242,
    };
    const int32_t one_quarter = (int32_t)1 << 24;
    const int32_t modulo = (value & (one_quarter - 1)) - one_quarter;
    const int32_t remainder = modulo - value;
    int32_t result = exp_near_zero(modulo * 32);
    if (value == 0) {
        return INT32_MAX;
    }
    for (int32_t bit = 0; bit < 7; bit++) {
        if (remainder & ((int32_t)1 << (24 + bit))) {
            result = edgeflow_high_multiply(result, factors[bit]);
        }
    }
    return result;
}

/* 1 / (1 + x) for x in [0, 1), both Q0.31: Newton-Raphson division. */
static int32_t one_over_one_plus(int32_t value)
{
    const int32_t half_denominator = (int32_t)(((uint32_t)value + ((uint32_t)1 << 31)) >> 1);
    int32_t x = 1515870810 + edgeflow_high_multiply(half_denominator, -1010580540); /* Q2.29 */
    for (int32_t step = 0; step < 3; step++) {
        const int32_t error = ((int32_t)1 << 29) - edgeflow_high_multiply(half_denominator, x);
        x += edgeflow_high_multiply(x, error) * 4;
    }
    return x >= ((int32_t)1 << 30) ? INT32_MAX : x * 2;
}

static int32_t row_maximum(const int8_t *input, int32_t classes)
{
    int32_t largest = INT8_MIN;
    for (int32_t i = 0; i < classes; i++) {
        largest = input[i] > largest ? input[i] : largest;
    }
    return largest;
}

static int32_t exp_of_difference(const edgeflow_softmax_layer *layer, int32_t difference)
{
    const int32_t shifted = (int32_t)((uint32_t)difference << layer->left_shift);
    return exp_of_negative(edgeflow_high_multiply(shifted, layer->multiplier));
}

static void softmax_row(const edgeflow_softmax_layer *layer, const int8_t *input, int8_t *output)
{
    const int32_t largest = row_maximum(input, layer->classes);
    uint32_t sum = 0;
    for (int32_t i = 0; i < layer->classes; i++) {
        const int32_t difference = input[i] - largest;
        if (difference >= layer->difference_minimum) {
            const int32_t term = exp_of_difference(layer, difference);
            sum += (uint32_t)edgeflow_rounding_shift_right(term, SUM_INTEGER_BITS);
        }
    }
    int32_t headroom = 0;
    while (!(sum & ((uint32_t)1 << 31))) {
        sum <<= 1;
        headroom++;
    }
    const int32_t scale = one_over_one_plus((int32_t)(sum - ((uint32_t)1 << 31)));
    const int32_t right_shift = SUM_INTEGER_BITS - headroom + 31 - OUTPUT_BITS;
    for (int32_t i = 0; i < layer->classes; i++) {
        const int32_t difference = input[i] - largest;
        int32_t probability = 0;
        if (difference >= layer->difference_minimum && right_shift <= 31) {
            const int32_t product =
                edgeflow_high_multiply(scale, exp_of_difference(layer, difference));
            probability = edgeflow_rounding_shift_right(product, right_shift);
        }
        output[i] = (int8_t)edgeflow_clamp(probability + INT8_MIN, INT8_MIN, INT8_MAX);
    }
}

void edgeflow_softmax(const edgeflow_softmax_layer *layer, const int8_t *input, int8_t *output)
{
    for (int32_t row = 0; row < layer->rows; row++) {
        const int32_t first = row * layer->classes;
        softmax_row(layer, input + first, output + first);
    }
}
