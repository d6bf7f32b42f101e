/* Three pixels with all output channels, for cores with MVE; edgeflow_mve_dot.h says what it does.
 *
 * Two channels and three pixels at a time: sixteen taps are five loads and six dual-use products.
 * Of each four channels first 0 and 2, then 1 and 3, because VMOV writes lanes of such pairs.
 *
 * r0 r2 r4 / r6 r8 r10 sums of the first / second channel (VMLADAV takes even registers alone)
 * r1 r3 r5 the pixels, r7 r9 the channels' weights, r11 taps, r12 bytes that the loop goes too far
 * q4 q5 q6 four channels' sums of each pixel, q7 upper bounds */
#if defined(__ARM_FEATURE_MVE)

    .syntax unified
    .thumb

#include "edgeflow_mve_rescale_triples.h"

    .equ    WEIGHTS, 0              /* edgeflow_mve_dot */
    .equ    CONSTANTS, 4
    .equ    TAPS, 8
    .equ    OUTPUTS, 12
    .equ    ZERO_POINT, 16
    .equ    MAXIMUM, 24
    .equ    OUTPUT_STEP, 32

    .equ    START, 0                /* on the stack: what a pair of channels starts with */
    .equ    SCALING, 36             /* constants, output, zero point, output step, end of constants,
                                       whether results below the zero point are clamped */
    .equ    LOWER, 64               /* lower bounds, a vector */
    .equ    DOT, 80
    .equ    STEP, 84
    .equ    FRAME, 88
    .equ    TRIPLES, FRAME + 64     /* where r3 was saved */
    .equ    OUTPUT, FRAME + 104     /* the fifth argument */

    /* Sums of two channels into lanes `high` and `low`. The loop masks taps beyond the last. */
    .macro  two_channels high, low
    ldm     sp, {r0, r1, r2, r3, r4, r5, r6, r8, r10}
    dlstp.8 lr, r11
1:
    vldrb.u8 q0, [r7], #16
    vldrb.u8 q2, [r1], #16
    vmladava.s8 r0, q0, q2
    vldrb.u8 q1, [r9], #16
    vmladava.s8 r6, q1, q2
    vldrb.u8 q3, [r3], #16
    vmladava.s8 r2, q0, q3
    vmladava.s8 r8, q1, q3
    vldrb.u8 q2, [r5], #16
    vmladava.s8 r4, q0, q2
    vmladava.s8 r10, q1, q2
    letp    lr, 1b
    vmov    q4[\high], q4[\low], r0, r6
    vmov    q5[\high], q5[\low], r2, r8
    vmov    q6[\high], q6[\low], r4, r10
    .endm

    .section .text.edgeflow_mve_triples, "ax", %progbits
    .balign 4
    .global edgeflow_mve_triples
    .type   edgeflow_mve_triples, %function
edgeflow_mve_triples:
    push    {r3, r4, r5, r6, r7, r8, r9, r10, r11, lr}
    vpush   {d8, d9, d10, d11, d12, d13, d14, d15}
    sub     sp, sp, #FRAME
    strd    r0, r2, [sp, #DOT]
    ldrd    r5, r4, [r0, #ZERO_POINT]   /* minimum */
    vdup.32 q0, r4
    vstrw.32 q0, [sp, #LOWER]
    cmp     r4, r5
    ite     ge
    movge   r5, #1
    movlt   r5, #0
    str     r5, [sp, #SCALING + 20]
    ldr     r4, [r0, #MAXIMUM]
    vdup.32 q7, r4
    ldr     r11, [r0, #TAPS]
    rsb     r12, r11, #0
    and     r12, r12, #15
    movs    r5, #0
    strd    r5, r1, [sp, #START]
    strd    r5, r5, [sp, #START + 8]
    strd    r5, r5, [sp, #START + 16]
    strd    r5, r5, [sp, #START + 24]
    str     r5, [sp, #START + 32]
    ldr     r1, [sp, #OUTPUT]
    ldrd    r3, r2, [r0, #OUTPUTS]      /* outputs, zero point */
    ldr     r4, [r0, #CONSTANTS]
    bic     r6, r3, #3
    add     r6, r6, r6, lsl #3          /* 9 words for 4 channels */
    add     r4, r4, r6
    strd    r1, r2, [sp, #SCALING + 4]
    ldr     r3, [r0, #OUTPUT_STEP]
    strd    r3, r4, [sp, #SCALING + 12]
.Lthree_pixels:
    ldrd    r0, r2, [sp, #DOT]
    ldr     r1, [sp, #START + 4]
    add     r1, r1, r2
    str     r1, [sp, #START + 12]
    add     r1, r1, r2
    str     r1, [sp, #START + 20]
    ldrd    r7, r0, [r0]                /* weights, constants */
    str     r0, [sp, #SCALING]
    ldr     r1, [sp, #SCALING + 16]
    add     r9, r7, r11, lsl #1
    cmp     r0, r1
    beq     .Lrest
.Lfour_channels:
    two_channels 2, 0
    sub     r7, r7, r12
    sub     r9, r9, r12
    two_channels 3, 1
    rescale_start
    cbnz    r5, .Lpositive
    rescale q4
    rescale q5
    rescale q6
    b       .Lstore
.Lpositive:
    rescale_positive q4
    rescale_positive q5
    rescale_positive q6
.Lstore:
    vstrb.32 q4, [r1], #4
    vstrb.32 q5, [r6]
    vstrb.32 q6, [r7]
    strd    r0, r1, [sp, #SCALING]
    sub     r7, r9, r12
    cmp     r0, r4
    add     r9, r7, r11, lsl #1
    bne     .Lfour_channels
.Lrest:
    /* One to three channels: the last of them stands in for those that a pair lacks. */
    ldr     r0, [sp, #DOT]
    ldr     r0, [r0, #OUTPUTS]
    ands    r0, r0, #3
    beq     .Lnext
    sub     r0, r0, #1
    mla     r9, r0, r11, r7
    two_channels 2, 0
    sub     r7, r7, r12
    sub     r9, r9, r12
    sub     r9, r9, r11
    ldr     r0, [sp, #DOT]
    ldr     r0, [r0, #OUTPUTS]
    and     r0, r0, #3
    cmp     r0, #1
    it      eq
    subeq   r7, r7, r11
    two_channels 3, 1
    rescale_start
    rescale q4
    rescale q5
    rescale q6
    ldr     r0, [sp, #DOT]
    ldr     r0, [r0, #OUTPUTS]
    and     r0, r0, #3
    vctp.32 r0
    vpsttt
    vstrbt.32 q4, [r1]
    vstrbt.32 q5, [r6]
    vstrbt.32 q6, [r7]
    add     r1, r1, r0
    str     r1, [sp, #SCALING + 4]
.Lnext:
    /* The output is behind that of the first pixel. */
    ldr     r1, [sp, #SCALING + 4]
    ldr     r4, [sp, #SCALING + 12]
    ldrd    r5, r2, [sp, #DOT]
    ldr     r5, [r5, #OUTPUTS]
    sub     r1, r1, r5
    add     r1, r1, r4
    ldr     r3, [sp, #TRIPLES]
    ldr     r0, [sp, #START + 20]
    add     r1, r1, r4, lsl #1
    str     r1, [sp, #SCALING + 4]
    add     r0, r0, r2
    str     r0, [sp, #START + 4]
    subs    r3, r3, #1
    str     r3, [sp, #TRIPLES]
    bne     .Lthree_pixels
    add     sp, sp, #FRAME
    vpop    {d8, d9, d10, d11, d12, d13, d14, d15}
    pop     {r3, r4, r5, r6, r7, r8, r9, r10, r11, pc}
    .size   edgeflow_mve_triples, . - edgeflow_mve_triples

#endif
