/* Depthwise filters of any size, for cores with MVE; edgeflow_mve_plane.h says what this does.
 *
 * Four columns at a time. r0 r2 r4 r6 their sums, r1 r3 r5 r7 their values, r8 plane, r9 weights,
 * r10 the first column, r11 taps, r12 column step; q5 offsets, q6 lower, q7 upper bounds. On the
 * stack: bias, multiplier, shift and output of the channel; weights, values, constants and output
 * of the next; columns and channels left */
#if defined(__ARM_FEATURE_MVE)

    .syntax unified
    .thumb

#include "edgeflow_mve_plane_layout.h"

    .equ    CHANNEL, 0
    .equ    OUTPUT, 12
    .equ    NEXT, 16
    .equ    COLUMNS_LEFT, 32
    .equ    CHANNELS_LEFT, 36
    .equ    FRAME, 40

    .section .text.edgeflow_mve_plane_any, "ax", %progbits
    .balign 4
    .global edgeflow_mve_plane_any
    .type   edgeflow_mve_plane_any, %function
edgeflow_mve_plane_any:
    push    {r3, r4, r5, r6, r7, r8, r9, r10, r11, lr}
    vpush   {d8, d9, d10, d11, d12, d13, d14, d15}
    sub     sp, sp, #FRAME
    mov     r8, r0
    vldrw.u32 q5, [r8, #OFFSETS]
    vldrw.u32 q6, [r8, #MINIMUM]
    vldrw.u32 q7, [r8, #MAXIMUM]
    ldr     r11, [r8, #TAPS]
    ldr     r12, [r8, #COLUMN_STEP]
    add     r0, r8, #WEIGHTS
    ldm     r0, {r1, r2, r3, r4}
    strd    r1, r2, [sp, #NEXT]
    strd    r3, r4, [sp, #NEXT + 8]
    ldr     r0, [r8, #CHANNELS]
    str     r0, [sp, #CHANNELS_LEFT]
.Lchannel:
    ldrd    r0, r10, [sp, #NEXT]
    ldrd    r2, r6, [sp, #NEXT + 8]
    ldr     r7, [r8, #TAPS + 4]
    ldrd    r3, r4, [r2], #8            /* bias and shift, multiplier */
    and     r5, r3, #31
    asr     r3, r3, #5
    rsb     r5, r5, #0
    stm     sp, {r3, r4, r5, r6}
    add     r0, r0, r11
    add     r7, r7, r10
    add     r6, r6, #1
    strd    r0, r7, [sp, #NEXT]
    strd    r2, r6, [sp, #NEXT + 8]
    ldr     r0, [r8, #COLUMNS]
    str     r0, [sp, #COLUMNS_LEFT]
.Lfour_columns:
    ldr     r9, [sp, #NEXT]
    mov     r1, r10
    add     r3, r10, r12
    add     r5, r3, r12
    add     r7, r5, r12
    add     r10, r7, r12
    sub     r9, r9, r11
    movs    r0, #0
    movs    r2, #0
    movs    r4, #0
    movs    r6, #0
    dlstp.8 lr, r11
1:
    vldrb.u8 q0, [r9], #16
    vldrb.u8 q1, [r1], #16
    vmladava.s8 r0, q0, q1
    vldrb.u8 q2, [r3], #16
    vmladava.s8 r2, q0, q2
    vldrb.u8 q3, [r5], #16
    vmladava.s8 r4, q0, q3
    vldrb.u8 q4, [r7], #16
    vmladava.s8 r6, q0, q4
    letp    lr, 1b
    vmov    q0[2], q0[0], r0, r2
    vmov    q0[3], q0[1], r4, r6
    ldm     sp, {r0, r1, r2, r3}        /* bias, multiplier, shift, output */
    ldrd    r4, r5, [r8, #ZERO_POINT]
    ldr     r6, [sp, #COLUMNS_LEFT]
    vadd.i32 q0, q0, r0
    vshr.s32 q1, q0, #31
    vqrdmlah.s32 q1, q0, r1
    vrshl.s32 q1, r2
    vadd.i32 q1, q1, r4
    vmax.s32 q1, q1, q6
    subs    r6, r6, #4
    vmin.s32 q1, q1, q7
    blt     .Llast
    vstrb.32 q1, [r3, q5]
    add     r3, r3, r5
    str     r3, [sp, #OUTPUT]
    str     r6, [sp, #COLUMNS_LEFT]
    bgt     .Lfour_columns
    b       .Lnext
.Llast:
    ldr     r0, [r8, #TAIL_LANES]
    vmsr    p0, r0
    vpst
    vstrbt.32 q1, [r3, q5]
.Lnext:
    ldr     r0, [sp, #CHANNELS_LEFT]
    subs    r0, r0, #1
    str     r0, [sp, #CHANNELS_LEFT]
    bne     .Lchannel
    add     sp, sp, #FRAME
    vpop    {d8, d9, d10, d11, d12, d13, d14, d15}
    pop     {r3, r4, r5, r6, r7, r8, r9, r10, r11, pc}
    .size   edgeflow_mve_plane_any, . - edgeflow_mve_plane_any

#endif
