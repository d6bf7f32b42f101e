/* Depthwise filters that fit one vector, for cores with MVE; edgeflow_mve_plane.h says what they do.
 *
 * Four columns at a time, two of them after another. r0 r2 r4 / r6 r8 r10 sums of the first and
 * second column's rows, r1 values, r3 column step, r5 output, r7 plane, r9 bias, r11 multiplier,
 * r12 shift; q4 q5 q6 weights of each row, q1 q2 q3 sums of four columns */
#if defined(__ARM_FEATURE_MVE)

    .syntax unified
    .thumb

    .equ    COLUMNS, 0              /* edgeflow_mve_plane */
    .equ    TAIL_LANES, 4
    .equ    COLUMN_STEP, 8
    .equ    ZERO_POINT, 12          /* four_columns behind it */
    .equ    ROW_1, 20               /* row_2 behind it */
    .equ    ROW_SHIFT, 32
    .equ    OFFSETS, 36
    .equ    MINIMUM, 52
    .equ    MAXIMUM, 68
    .equ    WEIGHTS, 84             /* values behind it */
    .equ    BIAS, 92                /* multiplier behind it */
    .equ    MINUS_SHIFT, 100        /* output behind it */

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

    /* edgeflow_mve_rescale before the clamp; r0 zero point */
    .macro  rescale sums
    vadd.i32 \sums, \sums, r9
    vshr.s32 q0, \sums, #31
    vqrdmulh.s32 \sums, \sums, r11
    vadd.i32 \sums, \sums, q0
    vrshl.s32 \sums, r12
    vadd.i32 \sums, \sums, r0
    .endm

    .macro  clamp sums
    vmax.s32 \sums, \sums, q0
    vmin.s32 \sums, \sums, q7
    .endm

    /* Leaves the lanes' offsets in q7, what is to be added to the output in r2 and the outputs'
     * rows 1 and 2 in r4 and r6. */
    .macro  four_columns rows
    two_columns \rows, 2, 0
    two_columns \rows, 3, 1
    ldrd    r0, r2, [r7, #ZERO_POINT]
    rescale q1
    .if \rows > 1
    rescale q2
    .endif
    .if \rows > 2
    rescale q3
    .endif
    vldrw.u32 q0, [r7, #MINIMUM]
    vldrw.u32 q7, [r7, #MAXIMUM]
    clamp   q1
    .if \rows > 1
    ldrd    r4, r6, [r7, #ROW_1]
    clamp   q2
    add     r4, r4, r5
    .endif
    .if \rows > 2
    clamp   q3
    add     r6, r6, r5
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
    mov     r7, r0
    ldrd    r0, r1, [r7, #WEIGHTS]
    ldr     r2, [r7, #ROW_SHIFT]
    vldrb.u8 q4, [r0]
    .if \rows > 1
    sub     r0, r0, r2
    vldrb.u8 q5, [r0]
    .endif
    .if \rows > 2
    sub     r0, r0, r2
    vldrb.u8 q6, [r0]
    .endif
    ldrd    r9, r11, [r7, #BIAS]
    ldrd    r12, r5, [r7, #MINUS_SHIFT]
    ldr     r3, [r7, #COLUMN_STEP]
    ldr     lr, [r7, #COLUMNS]
    lsr     lr, lr, #2
    wls     lr, lr, 2f
1:
    four_columns \rows
    .if \rows > 2
    vstrb.32 q3, [r6, q7]
    .endif
    .if \rows > 1
    vstrb.32 q2, [r4, q7]
    .endif
    vstrb.32 q1, [r5, q7]
    add     r5, r5, r2
    le      lr, 1b
2:
    ldr     r0, [r7, #COLUMNS]
    ands    r0, r0, #3
    beq     3f
    four_columns \rows
    ldr     r0, [r7, #TAIL_LANES]
    vmsr    p0, r0
    .if \rows > 2
    vpst
    vstrbt.32 q3, [r6, q7]
    .endif
    .if \rows > 1
    vpst
    vstrbt.32 q2, [r4, q7]
    .endif
    vpst
    vstrbt.32 q1, [r5, q7]
3:
    vpop    {d8, d9, d10, d11, d12, d13, d14, d15}
    pop     {r3, r4, r5, r6, r7, r8, r9, r10, r11, pc}
    .size   edgeflow_mve_plane_\rows, . - edgeflow_mve_plane_\rows
    .endm

    plane   1
    plane   2
    plane   3

#endif
