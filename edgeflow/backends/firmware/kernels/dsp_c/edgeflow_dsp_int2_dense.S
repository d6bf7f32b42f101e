/* Dense layers with int2 weights for cores with the DSP extension. */
#if defined(__ARM_FEATURE_DSP)

    .equ    FIELDS, 0x03030303
    .equ    NOT_MINUS_ZEROS, 0x00010001
    .equ    SUM_SHIFT, 6
    .equ    BLOCK_INPUTS, 8
    .equ    BLOCK_BYTES, 140

#include "edgeflow_dsp_narrow_dense.h"

    .macro dense_block
    ldrd    r4, r5, [r1], #8
    ldrd    r2, r3, [r0], #8
    lowest_fields r2
    fields  r3, 2
    ldrd    r2, r3, [r0], #8
    fields  r2, 4
    fields  r3, 6
    .endm

    dense   edgeflow_dsp_int2_dense

#endif
