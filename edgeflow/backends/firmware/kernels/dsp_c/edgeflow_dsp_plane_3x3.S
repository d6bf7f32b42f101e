/* Depthwise 3x3 for cores with the DSP extension; edgeflow_dsp_plane.h says what it computes.
 *
 * Four neighbouring outputs at a time: with words (x0, x1), (x2, x3), (x4, x5) of a row, lanes
 * (w0, w1) and (w1, w2) of the filter's row serve even and odd outputs.
 */
#if defined(__ARM_FEATURE_DSP)

    .syntax unified
    .thumb

    .equ    BIAS, 24
    .equ    MULTIPLIER, 28
    .equ    SHIFT, 36
    .equ    OUTPUT_STEP, 40
    .equ    OUTPUT_ROW_STEP, 44
    .equ    COLUMNS, 48
    .equ    ROWS, 52
    .equ    PITCH, 56
    .equ    ROW_STEP, 60
    .equ    TO_GO, 76
    .equ    OUTPUT_ROW, 80
    .equ    PLANE_ROW, 84

/* A row of taps for four sums in r7 to r10, one column apart; r1 the row of the plane. */
    .macro taps_step_1 row
    ldrd    r5, r6, [lr, #8 * \row]
    ldm     r1!, {r2, r3, r4}
    smlad   r7, r2, r5, r7              /* x0 w0 + x1 w1 */
    smlabt  r7, r3, r6, r7              /* x2 w2 */
    smlatb  r8, r2, r5, r8              /* x1 w0 */
    smlad   r8, r3, r6, r8              /* x2 w1 + x3 w2 */
    smlad   r9, r3, r5, r9
    smlabt  r9, r4, r6, r9
    smlatb  r10, r3, r5, r10
    smlad   r10, r4, r6, r10
    .endm

/* The same, two columns apart. */
    .macro taps_step_2 row
    ldrd    r5, r6, [lr, #8 * \row]
    ldm     r1!, {r2, r3, r4}
    smlad   r7, r2, r5, r7
    smlabt  r7, r3, r6, r7
    smlad   r8, r3, r5, r8
    smlabt  r8, r4, r6, r8
    ldm     r1!, {r2, r3}
    smlad   r9, r4, r5, r9
    smlabt  r9, r2, r6, r9
    smlad   r10, r2, r5, r10
    smlabt  r10, r3, r6, r10
    .endm

/* As edgeflow_dsp_rescale: r2 multiplier, r3 base, r4 shift. */
    .macro requantize sum
    add     r5, r3, \sum, asr #31
    lsl     \sum, \sum, #1
    smmlar  \sum, \sum, r2, r5
    asr     \sum, \sum, r4
    ssat    \sum, #8, \sum
    .endm

/* r0 first column of a group, r11 rest of a pitch, r12 output, lr plane. */
    .macro plane_3x3 name, step, row_bytes
    .section .text.\name, "ax", %progbits
    .balign 4
    .global \name
    .type   \name, %function
\name:
    push    {r4, r5, r6, r7, r8, r9, r10, r11, lr}
    mov     lr, r0
    ldr     r11, [lr, #PITCH]
    sub     r11, r11, #\row_bytes
.Lrow_\step:
    str     r1, [lr, #PLANE_ROW]
    str     r2, [lr, #OUTPUT_ROW]
    mov     r0, r1
    mov     r12, r2
    ldr     r2, [lr, #COLUMNS]
    str     r2, [lr, #TO_GO]
.Lgroup_\step:
    mov     r1, r0
    ldr     r7, [lr, #BIAS]
    mov     r8, r7
    mov     r9, r7
    mov     r10, r7
    taps_step_\step 0
    add     r1, r1, r11
    taps_step_\step 1
    add     r1, r1, r11
    taps_step_\step 2
    add     r0, r0, #8 * \step
    ldrd    r2, r3, [lr, #MULTIPLIER]
    ldr     r4, [lr, #SHIFT]
    requantize r7
    requantize r8
    requantize r9
    requantize r10
    ldr     r6, [lr, #OUTPUT_STEP]
    ldr     r2, [lr, #TO_GO]
    subs    r2, r2, #4
    str     r2, [lr, #TO_GO]
    strb    r7, [r12]
    blt     .Ltail_\step
    strb    r8, [r12, r6]
    strb    r9, [r12, r6, lsl #1]
    add     r12, r12, r6, lsl #1
    strb    r10, [r12, r6]
    add     r12, r12, r6, lsl #1
    bne     .Lgroup_\step               /* the flags are those of the outputs to go */
    b       .Lnext_\step
.Ltail_\step:
    adds    r2, r2, #3                  /* outputs of the row that are left after the first */
    beq     .Lnext_\step
    strb    r8, [r12, r6]
    subs    r2, r2, #1
    beq     .Lnext_\step
    strb    r9, [r12, r6, lsl #1]
.Lnext_\step:
    ldr     r1, [lr, #PLANE_ROW]
    ldr     r3, [lr, #ROW_STEP]
    add     r1, r1, r3
    ldr     r2, [lr, #OUTPUT_ROW]
    ldr     r3, [lr, #OUTPUT_ROW_STEP]
    add     r2, r2, r3
    ldr     r4, [lr, #ROWS]
    subs    r4, r4, #1
    str     r4, [lr, #ROWS]
    bne     .Lrow_\step
    pop     {r4, r5, r6, r7, r8, r9, r10, r11, pc}
    .size   \name, . - \name
    .endm

    plane_3x3 edgeflow_dsp_plane_3x3, 1, 12
    plane_3x3 edgeflow_dsp_plane_3x3_step_2, 2, 20

#endif
