/* Inner products with int4 weights for cores with the DSP extension; edgeflow_dsp_dot.h says what
 * they compute. A word holds four taps of two channels: the low halves of its bytes are the word of
 * taps 0 and 2, the high halves that of taps 1 and 3. */
#if defined(__ARM_FEATURE_DSP)

    .equ    FIELDS, 0x0F0F0F0F
    .equ    NOT_MINUS_ZEROS, 0x00070007
    .equ    SUM_SHIFT, 4
    .equ    BLOCK_TAPS, 4
    .equ    THREE_BYTES, 72
    .equ    ONE_BYTES, 40

#include "edgeflow_dsp_narrow_dot.h"

    .macro three_block
    ldr     r5, [r1], #4
    ldm     r0!, {r2, r3, r4}
    and     r6, r5, #FIELDS
    three_products
    ldm     r0!, {r2, r3, r4}
    and     r6, lr, r5, lsr #4
    three_products
    .endm

    .macro one_block
    ldr     r5, [r1], #4
    ldrd    r2, r3, [r0], #8
    and     r6, r5, #FIELDS
    one_product r2
    and     r6, r8, r5, lsr #4
    one_product r3
    .endm

    three_pixels edgeflow_dsp_int4_three_pixels
    one_pixel edgeflow_dsp_int4_one_pixel

#endif
