/* Assembler: the inner products of one pixel with four channels, for cores with MVE.
 *
 * r0 r2 r4 r6 the sums, r1 the pixel, r7 r8 r9 r10 the channels' weights, r11 taps. On the stack:
 * zero, the pixel, three times zero. The loop masks taps beyond the last. Lanes of q0 are the sums.
 */
    .macro  four_sums
    ldm     sp, {r0, r1, r2, r4, r6}
    dlstp.8 lr, r11
1:
    vldrb.u8 q0, [r1], #16
    vldrb.u8 q1, [r7], #16
    vmladava.s8 r0, q0, q1
    vldrb.u8 q2, [r8], #16
    vmladava.s8 r2, q0, q2
    vldrb.u8 q3, [r9], #16
    vmladava.s8 r4, q0, q3
    vldrb.u8 q4, [r10], #16
    vmladava.s8 r6, q0, q4
    letp    lr, 1b
    vmov    q0[2], q0[0], r0, r4
    vmov    q0[3], q0[1], r2, r6
    .endm
