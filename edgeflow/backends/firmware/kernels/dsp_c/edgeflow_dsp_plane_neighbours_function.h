/* A function for filters of any size in assembler, outputs one column apart;
 * edgeflow_dsp_plane.h says what is computed.
 *
 * Four neighbouring outputs at a time: what one output reads is what that two before reads next.
 * The file that includes this one defines the macro `requantize sum`, which makes an int8 of a sum
 * (r2 multiplier, r3 base, r4 shift; r5 is free), and calls `plane_neighbours` with a name.
 */
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
    .equ    FILTER, 64
    .equ    FILTER_WORDS, 68
    .equ    FILTER_ROWS, 72
    .equ    TO_GO, 76
    .equ    OUTPUT_ROW, 80
    .equ    PLANE_ROW, 84
    .equ    TAP_ROWS_TO_GO, 88
    .equ    NEXT_TAP_ROW, 92
    .equ    OUTPUT, 96

/* r0 first column of a group, r1 plane, r2 to r5 its lanes, r6 taps, r7 to r10 sums, r11 filter,
 * r12 words of the filter's row to go. */
    .macro plane_neighbours name
    .section .text.\name, "ax", %progbits
    .balign 4
    .global \name
    .type   \name, %function
\name:
    push    {r4, r5, r6, r7, r8, r9, r10, r11, lr}
    mov     lr, r0
    ldr     r3, [lr, #PITCH]
    ldr     r4, [lr, #FILTER_WORDS]
    sub     r3, r3, r4, lsl #2
    str     r3, [lr, #NEXT_TAP_ROW]     /* from the end of a row of taps to the next */
.Lrow:
    str     r1, [lr, #PLANE_ROW]
    str     r2, [lr, #OUTPUT_ROW]
    str     r2, [lr, #OUTPUT]
    mov     r0, r1
    ldr     r2, [lr, #COLUMNS]
    str     r2, [lr, #TO_GO]
.Lgroup:
    mov     r1, r0
    ldr     r7, [lr, #BIAS]
    mov     r8, r7
    mov     r9, r7
    mov     r10, r7
    ldr     r11, [lr, #FILTER]
    ldr     r2, [lr, #FILTER_ROWS]
.Ltap_row:
    str     r2, [lr, #TAP_ROWS_TO_GO]
    ldr     r2, [r1]
    ldr     r3, [r1, #2]
    ldr     r12, [lr, #FILTER_WORDS]
    subs    r12, r12, #2
    blt     .Llast_word
.Ltwo_words:
    ldr     r6, [r11], #4
    ldr     r4, [r1, #4]
    ldr     r5, [r1, #6]
    smlad   r7, r2, r6, r7
    smlad   r8, r3, r6, r8
    smlad   r9, r4, r6, r9
    smlad   r10, r5, r6, r10
    ldr     r6, [r11], #4
    ldr     r2, [r1, #8]!
    ldr     r3, [r1, #2]
    smlad   r7, r4, r6, r7
    smlad   r8, r5, r6, r8
    smlad   r9, r2, r6, r9
    smlad   r10, r3, r6, r10
    subs    r12, r12, #2
    bge     .Ltwo_words
.Llast_word:
    adds    r12, r12, #2
    beq     .Ltap_row_done
    ldr     r6, [r11], #4
    ldr     r5, [r1, #6]
    ldr     r4, [r1, #4]!
    smlad   r7, r2, r6, r7
    smlad   r8, r3, r6, r8
    smlad   r9, r4, r6, r9
    smlad   r10, r5, r6, r10
.Ltap_row_done:
    ldr     r6, [lr, #NEXT_TAP_ROW]
    add     r1, r1, r6
    ldr     r2, [lr, #TAP_ROWS_TO_GO]
    subs    r2, r2, #1
    bne     .Ltap_row

    add     r0, r0, #8
    ldrd    r2, r3, [lr, #MULTIPLIER]
    ldr     r4, [lr, #SHIFT]
    requantize r7
    requantize r8
    requantize r9
    requantize r10
    ldr     r12, [lr, #OUTPUT]
    ldr     r6, [lr, #OUTPUT_STEP]
    ldr     r2, [lr, #TO_GO]
    subs    r2, r2, #4
    str     r2, [lr, #TO_GO]
    strb    r7, [r12]
    blt     .Ltail
    strb    r8, [r12, r6]
    strb    r9, [r12, r6, lsl #1]
    add     r12, r12, r6, lsl #1
    strb    r10, [r12, r6]
    add     r12, r12, r6, lsl #1
    str     r12, [lr, #OUTPUT]
    bne     .Lgroup                     /* the flags are those of the outputs to go */
    b       .Lnext_row
.Ltail:
    adds    r2, r2, #3                  /* outputs of the row that are left after the first */
    beq     .Lnext_row
    strb    r8, [r12, r6]
    subs    r2, r2, #1
    beq     .Lnext_row
    strb    r9, [r12, r6, lsl #1]
.Lnext_row:
    ldr     r1, [lr, #PLANE_ROW]
    ldr     r3, [lr, #ROW_STEP]
    add     r1, r1, r3
    ldr     r2, [lr, #OUTPUT_ROW]
    ldr     r3, [lr, #OUTPUT_ROW_STEP]
    add     r2, r2, r3
    ldr     r4, [lr, #ROWS]
    subs    r4, r4, #1
    str     r4, [lr, #ROWS]
    bne     .Lrow
    pop     {r4, r5, r6, r7, r8, r9, r10, r11, pc}
    .size   \name, . - \name
    .endm
