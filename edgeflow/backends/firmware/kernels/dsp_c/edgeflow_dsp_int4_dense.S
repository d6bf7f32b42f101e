/* Dense layers with int4 weights for cores with the DSP extension. */
#if defined(__ARM_FEATURE_DSP)

    .equ    FIELDS, 0x0F0F0F0F
    .equ    NOT_MINUS_ZEROS, 0x00070007
    .equ    SUM_SHIFT, 4
    .equ    BLOCK_INPUTS, 4
    .equ    BLOCK_BYTES, 72

#include "edgeflow_dsp_narrow_dense.h"

    .macro dense_block
    ldrd    r4, r5, [r1], #8
    ldrd    r2, r3, [r0], #8
    lowest_fields r2
    fields  r3, 4
    .endm

    dense   edgeflow_dsp_int4_dense

#endif
