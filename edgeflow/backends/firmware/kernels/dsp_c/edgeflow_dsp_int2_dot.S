/* Inner products with int2 weights for cores with the DSP extension; edgeflow_dsp_dot.h says what
 * they compute. A word holds eight taps of two channels: the lowest two bits of its bytes are the
 * word of taps 0 and 2, the next ones that of taps 1 and 3, then 4 and 6, 5 and 7. */
#if defined(__ARM_FEATURE_DSP)

    .equ    FIELDS, 0x03030303
    .equ    NOT_MINUS_ZEROS, 0x00010001
    .equ    SUM_SHIFT, 6
    .equ    BLOCK_TAPS, 8
    .equ    THREE_BYTES, 140
    .equ    ONE_BYTES, 76

#include "edgeflow_dsp_narrow_dot.h"

    .macro three_block
    ldr     r5, [r1], #4
    ldm     r0!, {r2, r3, r4}
    and     r6, r5, #FIELDS
    three_products
    .irp    shift, 2, 4, 6
    ldm     r0!, {r2, r3, r4}
    and     r6, lr, r5, lsr #\shift
    three_products
    .endr
    .endm

    .macro one_block
    ldr     r5, [r1], #4
    ldrd    r2, r3, [r0], #8
    and     r6, r5, #FIELDS
    one_product r2
    and     r6, r8, r5, lsr #2
    one_product r3
    ldrd    r2, r3, [r0], #8
    and     r6, r8, r5, lsr #4
    one_product r2
    and     r6, r8, r5, lsr #6
    one_product r3
    .endm

    three_pixels edgeflow_dsp_int2_three_pixels
    one_pixel edgeflow_dsp_int2_one_pixel

#endif
