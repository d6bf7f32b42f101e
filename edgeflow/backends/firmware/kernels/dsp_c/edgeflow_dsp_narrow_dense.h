/* What dense layers of int4 and of int2 weights have in common; edgeflow_dsp_narrow_dot.h says how
 * such weights are stored and what the file that includes this one defines. */
#include "edgeflow_dsp_dense_function.h"

    .equ    MORE_DENSE, 4

/* Two inputs: r6 weights, `both` sums both outputs of a pair, `even` the even one. */
    .macro products input, both, even
    smlad   \both, \input, r6, \both
    uxtb16  r6, r6
    smlad   \even, \input, r6, \even
    .endm

/* Two inputs of two pairs whose words are in r4 and r5; the mask of fields is in r7. */
    .macro lowest_fields input
    and     r6, r4, #FIELDS
    products \input, r8, r9
    and     r6, r5, #FIELDS
    products \input, r10, r11
    .endm

    .macro fields input, shift
    and     r6, r7, r4, lsr #\shift
    products \input, r8, r9
    and     r6, r7, r5, lsr #\shift
    products \input, r10, r11
    .endm

/* r0 to r2 are the arguments; the offset of all outputs goes to the stack. */
    .macro dense_setup
    ldr     r3, [r0, #8]                /* inputs */
    add     r4, r1, r3, lsl #1          /* their end */
    mvn     r12, #NOT_MINUS_ZEROS
    mov     r11, r1
    mov     r8, #0
.Loffset:
    ldrd    r5, r6, [r11], #8
    smlad   r8, r5, r12, r8
    smlad   r8, r6, r12, r8
    cmp     r11, r4
    bne     .Loffset
    push    {r8}
    .endm

    .macro dense_start
    ldr     r2, [sp, #4 + MORE]
    add     r9, r4, r2
    add     r11, r6, r2
    add     r5, r5, r2
    add     r7, r7, r2
    add     r8, r9, r5, lsl #8
    add     r10, r11, r7, lsl #8
    mov     r7, #FIELDS
    .endm

    .macro dense_separate
    sub     r8, r8, r9
    asr     r8, r8, #8 - SUM_SHIFT
    lsl     r9, r9, #SUM_SHIFT
    sub     r10, r10, r11
    asr     r10, r10, #8 - SUM_SHIFT
    lsl     r11, r11, #SUM_SHIFT
    .endm
