/* One pixel with all output channels, for cores with MVE; edgeflow_mve_dot.h says what it does.
 *
 * Four channels at a time. r0 r2 r4 r6 their sums, r1 the pixel, r7 r8 r9 r10 their weights,
 * r5 constants, r3 output, r11 taps, r12 from a channel's end to that four channels further on;
 * q6 lower, q7 upper bounds */
#if defined(__ARM_FEATURE_MVE)

    .syntax unified
    .thumb

#include "edgeflow_mve_four_sums.h"

    .equ    CONSTANTS, 4            /* edgeflow_mve_dot */
    .equ    TAPS, 8
    .equ    OUTPUTS, 12
    .equ    MINIMUM, 20
    .equ    OUTPUT_STEP, 32

    .equ    START, 0                /* on the stack: what four channels start with */
    .equ    SCALING, 20             /* zero point, end of the constants of whole fours */
    .equ    DOT, 28
    .equ    STEP, 32
    .equ    FRAME, 40
    .equ    PIXELS, FRAME + 64      /* where r3 was saved */
    .equ    OUTPUT, FRAME + 104     /* the fifth argument */

    .macro  four_channels
    four_sums
    vldrw.u32 q1, [r5], #16
    vldrw.u32 q2, [r5], #16
    vadd.i32 q0, q0, q1
    vldrb.s32 q3, [r5], #4
    vshr.s32 q1, q0, #31
    vqrdmulh.s32 q0, q0, q2
    vadd.i32 q0, q0, q1
    ldrd    r0, r2, [sp, #SCALING]
    vrshl.s32 q0, q0, q3
    vadd.i32 q0, q0, r0
    vmax.s32 q0, q0, q6
    vmin.s32 q0, q0, q7
    .endm

    .section .text.edgeflow_mve_singles, "ax", %progbits
    .balign 4
    .global edgeflow_mve_singles
    .type   edgeflow_mve_singles, %function
edgeflow_mve_singles:
    push    {r3, r4, r5, r6, r7, r8, r9, r10, r11, lr}
    vpush   {d8, d9, d10, d11, d12, d13, d14, d15}
    sub     sp, sp, #FRAME
    strd    r0, r2, [sp, #DOT]
    ldrd    r4, r5, [r0, #MINIMUM]
    vdup.32 q6, r4
    vdup.32 q7, r5
    ldr     r11, [r0, #TAPS]
    add     r12, r11, #15
    bic     r12, r12, #15
    rsb     r12, r12, r11, lsl #2
    movs    r5, #0
    strd    r5, r1, [sp, #START]
    strd    r5, r5, [sp, #START + 8]
    str     r5, [sp, #START + 16]
    ldrd    r4, r2, [r0, #OUTPUTS]      /* outputs, zero point */
    ldr     r5, [r0, #CONSTANTS]
    bic     r6, r4, #3
    add     r6, r6, r6, lsl #3          /* 9 words for 4 channels */
    add     r5, r5, r6
    strd    r2, r5, [sp, #SCALING]
    ldr     r3, [sp, #OUTPUT]
.Lone_pixel:
    ldr     r0, [sp, #DOT]
    ldr     r2, [sp, #SCALING + 4]
    ldrd    r7, r5, [r0]                /* weights, constants */
    add     r8, r7, r11
    add     r9, r8, r11
    add     r10, r9, r11
    cmp     r5, r2
    beq     .Lrest
.Lfour_channels:
    four_channels
    add     r7, r7, r12
    add     r8, r8, r12
    add     r9, r9, r12
    cmp     r5, r2
    add     r10, r10, r12
    vstrb.32 q0, [r3], #4
    bne     .Lfour_channels
.Lrest:
    /* One to three channels: the last of them stands in for those that the four lack. */
    ldr     r0, [sp, #DOT]
    ldr     r0, [r0, #OUTPUTS]
    ands    r0, r0, #3
    beq     .Lnext
    cmp     r0, #2
    it      lt
    movlt   r8, r7
    it      le
    movle   r9, r8
    mov     r10, r9
    four_channels
    ldr     r0, [sp, #DOT]
    ldr     r0, [r0, #OUTPUTS]
    and     r0, r0, #3
    vctp.32 r0
    vpst
    vstrbt.32 q0, [r3]
    add     r3, r3, r0
.Lnext:
    ldr     r0, [sp, #DOT]
    ldr     r2, [r0, #OUTPUT_STEP]
    ldr     r0, [r0, #OUTPUTS]
    add     r3, r3, r2
    sub     r3, r3, r0
    ldr     r0, [sp, #START + 4]
    ldr     r2, [sp, #STEP]
    ldr     r4, [sp, #PIXELS]
    add     r0, r0, r2
    str     r0, [sp, #START + 4]
    subs    r4, r4, #1
    str     r4, [sp, #PIXELS]
    bne     .Lone_pixel
    add     sp, sp, #FRAME
    vpop    {d8, d9, d10, d11, d12, d13, d14, d15}
    pop     {r3, r4, r5, r6, r7, r8, r9, r10, r11, pc}
    .size   edgeflow_mve_singles, . - edgeflow_mve_singles

#endif
