/* Depthwise filters of any size, for cores with MVE; edgeflow_mve_plane.h says what this does.
 *
 * Four columns at a time. r0 r2 r4 r6 their sums, r1 r3 r5 r7 their values, r8 plane, r9 weights,
 * r10 the first column, r11 taps, r12 column step; the output lies on the stack */
#if defined(__ARM_FEATURE_MVE)

    .syntax unified
    .thumb

    .equ    COLUMNS, 0              /* edgeflow_mve_plane */
    .equ    TAIL_LANES, 4
    .equ    COLUMN_STEP, 8
    .equ    ZERO_POINT, 12          /* four_columns behind it */
    .equ    TAPS, 28
    .equ    OFFSETS, 36
    .equ    MINIMUM, 52
    .equ    MAXIMUM, 68
    .equ    WEIGHTS, 84             /* values behind it */
    .equ    BIAS, 92                /* multiplier behind it */
    .equ    MINUS_SHIFT, 100        /* output behind it */

    .equ    LEFT, 0                 /* columns, on the stack */
    .equ    OUTPUT, 4

    .section .text.edgeflow_mve_plane_any, "ax", %progbits
    .balign 4
    .global edgeflow_mve_plane_any
    .type   edgeflow_mve_plane_any, %function
edgeflow_mve_plane_any:
    push    {r3, r4, r5, r6, r7, r8, r9, r10, r11, lr}
    vpush   {d8, d9, d10, d11, d12, d13, d14, d15}
    sub     sp, sp, #8
    mov     r8, r0
    vldrw.u32 q5, [r8, #OFFSETS]
    vldrw.u32 q6, [r8, #MINIMUM]
    vldrw.u32 q7, [r8, #MAXIMUM]
    ldr     r10, [r8, #WEIGHTS + 4]
    ldr     r11, [r8, #TAPS]
    ldr     r12, [r8, #COLUMN_STEP]
    ldr     r0, [r8, #COLUMNS]
    ldr     r1, [r8, #MINUS_SHIFT + 4]
    strd    r0, r1, [sp, #LEFT]
.Lfour_columns:
    mov     r1, r10
    add     r3, r10, r12
    add     r5, r3, r12
    add     r7, r5, r12
    add     r10, r7, r12
    ldr     r9, [r8, #WEIGHTS]
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
    add     r0, r8, #BIAS
    ldm     r0, {r1, r2, r3}            /* bias, multiplier, shift */
    ldrd    r4, r5, [r8, #ZERO_POINT]
    ldrd    r6, r7, [sp, #LEFT]
    vadd.i32 q0, q0, r1
    vshr.s32 q1, q0, #31
    vqrdmulh.s32 q0, q0, r2
    vadd.i32 q0, q0, q1
    vrshl.s32 q0, r3
    vadd.i32 q0, q0, r4
    vmax.s32 q0, q0, q6
    subs    r6, r6, #4
    vmin.s32 q0, q0, q7
    blt     .Llast
    vstrb.32 q0, [r7, q5]
    add     r7, r7, r5
    strd    r6, r7, [sp, #LEFT]
    bgt     .Lfour_columns
    b       .Lend
.Llast:
    ldr     r0, [r8, #TAIL_LANES]
    vmsr    p0, r0
    vpst
    vstrbt.32 q0, [r7, q5]
.Lend:
    add     sp, sp, #8
    vpop    {d8, d9, d10, d11, d12, d13, d14, d15}
    pop     {r3, r4, r5, r6, r7, r8, r9, r10, r11, pc}
    .size   edgeflow_mve_plane_any, . - edgeflow_mve_plane_any

#endif
