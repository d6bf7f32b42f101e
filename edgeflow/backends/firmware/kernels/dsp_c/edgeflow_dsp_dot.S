/* Inner products for cores with the DSP extension; edgeflow_dsp_dot.h says what they compute. */
#if defined(__ARM_FEATURE_DSP)

#include "edgeflow_dsp_dot_functions.h"

    .equ    BLOCK_TAPS, 4
    .equ    THREE_BYTES, 64
    .equ    ONE_BYTES, 32
    .equ    MORE_THREE, 0
    .equ    MORE_ONE, 0

/* Two taps of three pixels: r2 to r4 inputs, r7 to r9 both channels, r10 to r12 channel 0. */
    .macro three_products lanes
    ldm     r0!, {r2, r3, r4}
    smlad   r7, r2, \lanes, r7
    smlad   r8, r3, \lanes, r8
    smlad   r9, r4, \lanes, r9
    sxtb16  \lanes, \lanes
    smlad   r10, r2, \lanes, r10
    smlad   r11, r3, \lanes, r11
    smlad   r12, r4, \lanes, r12
    .endm

    .macro three_block
    ldrd    r5, r6, [r1], #8
    three_products r5
    three_products r6
    .endm

/* Two taps of one pixel: r7 both channels, r10 channel 0. */
    .macro one_product input, lanes
    smlad   r7, \input, \lanes, r7
    sxtb16  \lanes, \lanes
    smlad   r10, \input, \lanes, r10
    .endm

    .macro one_block
    ldrd    r2, r3, [r0], #8
    ldrd    r5, r6, [r1], #8
    one_product r2, r5
    one_product r3, r6
    .endm

/* As edgeflow_dsp_rescale; the shift is in the lowest byte of r4. */
    .macro requantize sum, multiplier
    add     r5, r0, \sum, asr #31
    lsl     \sum, \sum, #1
    smmlar  \sum, \sum, \multiplier, r5
    asr     \sum, \sum, r4
    ssat    \sum, #8, \sum
    .endm

    .macro requantize_256 sum, multiplier
    add     r5, r0, \sum, asr #31
    asr     \sum, \sum, #7
    smmlar  \sum, \sum, \multiplier, r5
    asr     \sum, \sum, r4
    ssat    \sum, #8, \sum
    .endm

    .macro three_even
    ldr     r3, [sp, #CHANNELS]
    ldrd    r4, r2, [r3], #8
    load_base BASE
    .endm

    .macro three_odd
    ldrd    r4, r2, [r3], #8
    str     r3, [sp, #CHANNELS]
    load_base BASE
    .endm

    .macro three_next
    mov     r0, r3
    .endm

    .macro one_even
    ldrd    r4, r2, [r11], #8
    load_base ONE_BASE
    .endm

    .macro one_odd
    one_even
    .endm

    .macro three_setup
    .endm

    .macro one_setup
    .endm

    .macro three_start
    add     r7, r7, r10
    ldrd    r0, lr, [sp, #PIXELS]
    mov     r8, r7
    mov     r9, r7
    mov     r11, r10
    mov     r12, r10
    .endm

    .macro one_start
    add     r7, r7, r10
    .endm

    .macro three_end
    cmp     r0, lr
    .endm

    three_pixels edgeflow_dsp_three_pixels
    one_pixel edgeflow_dsp_one_pixel

#endif
