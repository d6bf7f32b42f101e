/* Depthwise filters that fit one vector or two, for cores with MVE; edgeflow_mve_plane.h says what they do.
 *
 * Four columns at a time, two of them after another. r0 r2 r4 / r6 r8 r10 sums of the first and
 * second column's rows, r1 values, r3 column step, r5 output, r7 plane, r9 bias, r11 multiplier,
 * r12 shift; q4 q5 q6 weights of each row, q1 q2 q3 sums of four columns. On the stack: weights,
 * values, constants and output of the next channel, channels left */
#if defined(__ARM_FEATURE_MVE)

    .syntax unified
    .thumb

#include "edgeflow_mve_plane_layout.h"

    .equ    LEFT, 16
    .equ    FRAME, 24

    /* Sums of a column's rows; `wide` is 1 where they take two vectors. */
    .macro  column rows, wide, a, b, c
    vldrb.u8 q0, [r1]
    .if \wide
    vldrb.u8 q1, [r1, #16]
    .endif
    add     r1, r1, r3
    vmladav.s8 \a, q0, q4
    .if \wide
    vmladava.s8 \a, q1, q5
    .if \rows > 1
    vmladav.s8 \b, q0, q6
    vmladava.s8 \b, q1, q7
    .endif
    .else
    .if \rows > 1
    vmladav.s8 \b, q0, q5
    .endif
    .if \rows > 2
    vmladav.s8 \c, q0, q6
    .endif
    .endif
    .endm

    /* Lanes of s0, s1, s2: rows' sums. */
    .macro  two_columns rows, wide, high, low, s0, s1, s2
    column  \rows, \wide, r0, r2, r4
    column  \rows, \wide, r6, r8, r10
    vmov    \s0[\high], \s0[\low], r0, r6
    .if \rows > 1
    vmov    \s1[\high], \s1[\low], r2, r8
    .endif
    .if \rows > 2
    vmov    \s2[\high], \s2[\low], r4, r10
    .endif
    .endm

    /* edgeflow_mve_rescale before the clamp: VQRDMLAH adds the high multiplication to the sign.
     * r0 zero point; q0 holds the sums, afterwards the results. */
    .macro  rescale sums, to
    vadd.i32 \sums, \sums, r9
    vshr.s32 \to, \sums, #31
    vqrdmlah.s32 \to, \sums, r11
    vrshl.s32 \to, r12
    vadd.i32 \to, \to, r0
    .endm

    .macro  clamp values, lower, upper
    vmax.s32 \values, \values, \lower
    vmin.s32 \values, \values, \upper
    .endm

    /* Results of the rows in q0, q1, q2; leaves the lanes' offsets in `scratch`, what is to be added
     * to the output in r2 and the outputs' rows 1 and 2 in r4 and r6. */
    .macro  four_columns rows, wide, s0, s1, s2, scratch
    two_columns \rows, \wide, 2, 0, \s0, \s1, \s2
    two_columns \rows, \wide, 3, 1, \s0, \s1, \s2
    ldrd    r0, r2, [r7, #ZERO_POINT]
    rescale \s0, q0
    .if \rows > 1
    rescale \s1, q1
    ldr     r4, [r7, #ROW_STEP]
    .endif
    .if \rows > 2
    rescale \s2, q2
    add     r6, r5, r4, lsl #1
    .endif
    vldrw.u32 q3, [r7, #MINIMUM]
    vldrw.u32 \scratch, [r7, #MAXIMUM]
    clamp   q0, q3, \scratch
    .if \rows > 1
    clamp   q1, q3, \scratch
    add     r4, r4, r5
    .endif
    .if \rows > 2
    clamp   q2, q3, \scratch
    .endif
    vldrw.u32 \scratch, [r7, #OFFSETS]
    .endm

    .macro  row_weights first, second, wide
    vldrb.u8 \first, [r3]
    .if \wide
    vldrb.u8 \second, [r3, #16]
    .endif
    .endm

    .macro  plane name, rows, wide, s0, s1, s2, scratch
    .section .text.\name, "ax", %progbits
    .balign 4
    .global \name
    .type   \name, %function
\name:
    push    {r3, r4, r5, r6, r7, r8, r9, r10, r11, lr}
    vpush   {d8, d9, d10, d11, d12, d13, d14, d15}
    sub     sp, sp, #FRAME
    mov     r7, r0
    add     r0, r7, #WEIGHTS
    ldm     r0, {r1, r2, r3, r4}
    stm     sp, {r1, r2, r3, r4}
    ldr     r0, [r7, #CHANNELS]
    str     r0, [sp, #LEFT]
1:
    ldm     sp, {r0, r1, r2, r5}
    ldrd    r4, r6, [r7, #TAPS]
    ldrd    r8, r3, [r7, #ROW_SHIFT]
    add     r9, r7, #SCATTER
    mov     r10, r0
    add     r3, r3, #16
    dlstp.8 lr, r4
2:
    vldrb.u8 q0, [r10], #16
    vldrb.u8 q1, [r9], #16
    vstrb.8 q0, [r3, q1]
    letp    lr, 2b
    add     r0, r0, r4
    add     r6, r6, r1
    row_weights q4, q5, \wide
    .if \rows > 1
    sub     r3, r3, r8
    .if \wide
    row_weights q6, q7, 1
    .else
    row_weights q5, q5, 0
    .endif
    .endif
    .if \rows > 2
    sub     r3, r3, r8
    row_weights q6, q6, 0
    .endif
    ldrd    r9, r11, [r2], #8           /* bias and shift, multiplier */
    and     r12, r9, #31
    asr     r9, r9, #5
    rsb     r12, r12, #0
    add     r4, r5, #1
    strd    r0, r6, [sp]
    strd    r2, r4, [sp, #8]
    ldr     r3, [r7, #COLUMN_STEP]
    ldr     lr, [r7, #COLUMNS]
    lsr     lr, lr, #2
    wls     lr, lr, 3f
2:
    four_columns \rows, \wide, \s0, \s1, \s2, \scratch
    .if \rows > 2
    vstrb.32 q2, [r6, \scratch]
    .endif
    .if \rows > 1
    vstrb.32 q1, [r4, \scratch]
    .endif
    vstrb.32 q0, [r5, \scratch]
    add     r5, r5, r2
    le      lr, 2b
3:
    ldrd    r0, r2, [r7, #COLUMNS]      /* tail lanes */
    tst     r0, #3
    beq     4f
    mov     lr, r2
    four_columns \rows, \wide, \s0, \s1, \s2, \scratch
    vmsr    p0, lr
    .if \rows > 2
    vpst
    vstrbt.32 q2, [r6, \scratch]
    .endif
    .if \rows > 1
    vpst
    vstrbt.32 q1, [r4, \scratch]
    .endif
    vpst
    vstrbt.32 q0, [r5, \scratch]
4:
    ldr     r0, [sp, #LEFT]
    subs    r0, r0, #1
    str     r0, [sp, #LEFT]
    bne     1b
    add     sp, sp, #FRAME
    vpop    {d8, d9, d10, d11, d12, d13, d14, d15}
    pop     {r3, r4, r5, r6, r7, r8, r9, r10, r11, pc}
    .size   \name, . - \name
    .endm

    /* In two vectors per row the weights take q4 to q7, and the sums q2 and q3. */
    plane   edgeflow_mve_plane_1, 1, 0, q1, q2, q3, q7
    plane   edgeflow_mve_plane_2, 2, 0, q1, q2, q3, q7
    plane   edgeflow_mve_plane_3, 3, 0, q1, q2, q3, q7
    plane   edgeflow_mve_wide_plane_1, 1, 1, q2, q3, q3, q2
    plane   edgeflow_mve_wide_plane_2, 2, 1, q2, q3, q3, q2

#endif
