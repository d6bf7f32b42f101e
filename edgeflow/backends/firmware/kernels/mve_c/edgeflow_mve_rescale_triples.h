/* Assembler: from four channels' sums of three pixels, in q4, q5 and q6, to int8.
 *
 * On the stack: at LOWER a vector of lower bounds, at SCALING the words that edgeflow_rescale_start
 * loads. q7: upper bounds. */
    /* Loads biases, multipliers, shifts and bounds. r0: behind the constants, r1 r6 r7: where the
     * three pixels' outputs go, r2: zero point, r3: output step, r4: end of the constants, r5: whether
     * results below the zero point are clamped. */
    .macro  rescale_start
    add     r6, sp, #SCALING
    ldm     r6, {r0, r1, r2, r3, r4, r5}
    add     r6, r1, r3
    add     r7, r6, r3
    vldrw.u32 q0, [r0], #16
    vldrw.u32 q1, [r0], #16
    vadd.i32 q4, q4, q0
    vldrb.s32 q2, [r0], #4
    vadd.i32 q5, q5, q0
    vldrw.u32 q3, [sp, #LOWER]
    vadd.i32 q6, q6, q0
    .endm

    /* edgeflow_mve_rescale; q0 is the sign of the sums. */
    .macro  rescale sums
    vshr.s32 q0, \sums, #31
    vqrdmulh.s32 \sums, \sums, q1
    vadd.i32 \sums, \sums, q0
    vrshl.s32 \sums, \sums, q2
    vadd.i32 \sums, \sums, r2
    vmax.s32 \sums, \sums, q3
    vmin.s32 \sums, \sums, q7
    .endm

    /* The same where results below the zero point are clamped, so that ties there do not matter. */
    .macro  rescale_positive sums
    vqrdmulh.s32 \sums, \sums, q1
    vrshl.s32 \sums, \sums, q2
    vadd.i32 \sums, \sums, r2
    vmax.s32 \sums, \sums, q3
    vmin.s32 \sums, \sums, q7
    .endm
