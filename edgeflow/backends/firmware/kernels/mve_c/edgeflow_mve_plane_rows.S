/* Depthwise filters that fit one vector, for cores with MVE; edgeflow_mve_plane.h says what they do.
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

    .macro  column rows, a, b, c
    vldrb.u8 q0, [r1]
    add     r1, r1, r3
    vmladav.s8 \a, q0, q4
    .if \rows > 1
    vmladav.s8 \b, q0, q5
    .endif
    .if \rows > 2
    vmladav.s8 \c, q0, q6
    .endif
    .endm

    .macro  two_columns rows, high, low
    column  \rows, r0, r2, r4
    column  \rows, r6, r8, r10
    vmov    q1[\high], q1[\low], r0, r6
    .if \rows > 1
    vmov    q2[\high], q2[\low], r2, r8
    .endif
    .if \rows > 2
    vmov    q3[\high], q3[\low], r4, r10
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

    .macro  clamp values
    vmax.s32 \values, \values, q3
    vmin.s32 \values, \values, q7
    .endm

    /* Results of the rows in q0, q1, q2; leaves the lanes' offsets in q7, what is to be added to the
     * output in r2 and the outputs' rows 1 and 2 in r4 and r6. */
    .macro  four_columns rows
    two_columns \rows, 2, 0
    two_columns \rows, 3, 1
    ldrd    r0, r2, [r7, #ZERO_POINT]
    rescale q1, q0
    .if \rows > 1
    rescale q2, q1
    ldr     r4, [r7, #ROW_STEP]
    .endif
    .if \rows > 2
    rescale q3, q2
    add     r6, r5, r4, lsl #1
    .endif
    vldrw.u32 q3, [r7, #MINIMUM]
    vldrw.u32 q7, [r7, #MAXIMUM]
    clamp   q0
    .if \rows > 1
    clamp   q1
    add     r4, r4, r5
    .endif
    .if \rows > 2
    clamp   q2
    .endif
    vldrw.u32 q7, [r7, #OFFSETS]
    .endm

    .macro  plane rows
    .section .text.edgeflow_mve_plane_\rows, "ax", %progbits
    .balign 4
    .global edgeflow_mve_plane_\rows
    .type   edgeflow_mve_plane_\rows, %function
edgeflow_mve_plane_\rows:
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
    vldrb.u8 q7, [r7, #SCATTER]
    add     r3, r3, #16
    vctp.8  r4
    vpstt
    vldrbt.u8 q0, [r0]
    vstrbt.8 q0, [r3, q7]
    add     r0, r0, r4
    add     r6, r6, r1
    vldrb.u8 q4, [r3]
    .if \rows > 1
    sub     r3, r3, r8
    vldrb.u8 q5, [r3]
    .endif
    .if \rows > 2
    sub     r3, r3, r8
    vldrb.u8 q6, [r3]
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
    four_columns \rows
    .if \rows > 2
    vstrb.32 q2, [r6, q7]
    .endif
    .if \rows > 1
    vstrb.32 q1, [r4, q7]
    .endif
    vstrb.32 q0, [r5, q7]
    add     r5, r5, r2
    le      lr, 2b
3:
    ldrd    r0, r2, [r7, #COLUMNS]      /* tail lanes */
    tst     r0, #3
    beq     4f
    mov     lr, r2
    four_columns \rows
    vmsr    p0, lr
    .if \rows > 2
    vpst
    vstrbt.32 q2, [r6, q7]
    .endif
    .if \rows > 1
    vpst
    vstrbt.32 q1, [r4, q7]
    .endif
    vpst
    vstrbt.32 q0, [r5, q7]
4:
    ldr     r0, [sp, #LEFT]
    subs    r0, r0, #1
    str     r0, [sp, #LEFT]
    bne     1b
    add     sp, sp, #FRAME
    vpop    {d8, d9, d10, d11, d12, d13, d14, d15}
    pop     {r3, r4, r5, r6, r7, r8, r9, r10, r11, pc}
    .size   edgeflow_mve_plane_\rows, . - edgeflow_mve_plane_\rows
    .endm

    plane   1
    plane   2
    plane   3

#endif
