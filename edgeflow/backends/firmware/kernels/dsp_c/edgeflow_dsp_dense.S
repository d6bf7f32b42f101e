/* Dense layers for cores with the DSP extension. */
#if defined(__ARM_FEATURE_DSP)

#include "edgeflow_dsp_dense_function.h"

    .equ    BLOCK_INPUTS, 4
    .equ    BLOCK_BYTES, 54
    .equ    MORE_DENSE, 0

/* Two inputs: `both` sums both outputs of a pair, `even` the even one. */
    .macro products input, lanes, both, even
    smlad   \both, \input, \lanes, \both
    sxtb16  \lanes, \lanes
    smlad   \even, \input, \lanes, \even
    .endm

/* r0 inputs, r1 weights. */
    .macro dense_block
    ldm     r1!, {r4, r5, r6, r7}
    ldrd    r2, r3, [r0], #8
    products r2, r4, r8, r9
    products r2, r5, r10, r11
    products r3, r6, r8, r9
    products r3, r7, r10, r11
    .endm

    .macro dense_setup
    .endm

    .macro dense_start
    mov     r9, r4
    mov     r11, r6
    add     r8, r4, r5, lsl #8
    add     r10, r6, r7, lsl #8
    .endm

    .macro dense_separate
    sub     r8, r8, r9
    asr     r8, r8, #8
    sub     r10, r10, r11
    asr     r10, r10, #8
    .endm

    dense   edgeflow_dsp_dense

#endif
