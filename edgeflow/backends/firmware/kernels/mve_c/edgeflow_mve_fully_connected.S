/* A dense layer, for cores with MVE; edgeflow_mve_fully_connected.h says what it does.
 *
 * Four outputs at a time. r0 r2 r4 r6 their sums, r1 the input, r7 r8 r9 r10 their weights,
 * r3 output, r5 biases, r11 inputs, r12 from an output's last weight to that four further on;
 * q5 base, q6 lower, q7 upper bounds */
#if defined(__ARM_FEATURE_MVE)

    .syntax unified
    .thumb

#include "edgeflow_mve_four_sums.h"

    .equ    INPUTS, 8               /* edgeflow_mve_fully_connected_layer */
    .equ    BASE, 16
    .equ    MINIMUM, 24
    .equ    MULTIPLIERS, 32

    .equ    START, 0                /* on the stack: what four outputs start with */
    .equ    SHIFT, 20
    .equ    LEFT, 24                /* outputs */
    .equ    SCALES, 32              /* multipliers and their step */
    .equ    FRAME, 40

    .section .text.edgeflow_mve_fully_connected, "ax", %progbits
    .balign 4
    .global edgeflow_mve_fully_connected
    .type   edgeflow_mve_fully_connected, %function
edgeflow_mve_fully_connected:
    push    {r3, r4, r5, r6, r7, r8, r9, r10, r11, lr}
    vpush   {d8, d9, d10, d11, d12, d13, d14, d15}
    sub     sp, sp, #FRAME
    mov     r3, r2
    ldrd    r4, r5, [r0, #MINIMUM]
    vdup.32 q6, r4
    vdup.32 q7, r5
    ldrd    r4, r5, [r0, #BASE]
    vdup.32 q5, r4
    movs    r6, #0
    strd    r6, r1, [sp, #START]
    strd    r6, r6, [sp, #START + 8]
    strd    r6, r5, [sp, #START + 16]   /* the shift behind it */
    ldrd    r4, r5, [r0, #MULTIPLIERS]
    strd    r4, r5, [sp, #SCALES]
    ldrd    r11, r2, [r0, #INPUTS]
    add     r12, r11, #15
    bic     r12, r12, #15
    rsb     r12, r12, r11, lsl #2
    ldrd    r7, r5, [r0]                /* weights, biases */
    add     r8, r7, r11
    add     r9, r8, r11
    add     r10, r9, r11
.Lfour_outputs:
    subs    r2, r2, #4
    str     r2, [sp, #LEFT]
    bge     .Lsums
    /* One to three outputs: the last of them stands in for those that the four lack. */
    cmp     r2, #-2
    it      lt
    movlt   r8, r7
    it      le
    movle   r9, r8
    mov     r10, r9
.Lsums:
    four_sums
    ldrd    r4, r6, [sp, #SCALES]
    vldrw.u32 q1, [r5], #16
    vldrw.u32 q2, [r4]
    add     r4, r4, r6
    vadd.i32 q0, q0, q1
    str     r4, [sp, #SCALES]
    add     r7, r7, r12
    vmulh.s32 q0, q0, q2
    ldrd    r0, r2, [sp, #SHIFT]
    vadd.i32 q0, q0, q5
    add     r8, r8, r12
    vshl.s32 q0, r0
    add     r9, r9, r12
    vmax.s32 q0, q0, q6
    add     r10, r10, r12
    vmin.s32 q0, q0, q7
    cmp     r2, #0
    blt     .Llast
    vstrb.32 q0, [r3], #4
    bgt     .Lfour_outputs
    b       .Lend
.Llast:
    add     r2, r2, #4
    vctp.32 r2
    vpst
    vstrbt.32 q0, [r3]
.Lend:
    add     sp, sp, #FRAME
    vpop    {d8, d9, d10, d11, d12, d13, d14, d15}
    pop     {r3, r4, r5, r6, r7, r8, r9, r10, r11, pc}
    .size   edgeflow_mve_fully_connected, . - edgeflow_mve_fully_connected

#endif
