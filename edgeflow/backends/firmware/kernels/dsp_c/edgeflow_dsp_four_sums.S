/* Inner products of a dense layer for cores with the DSP extension; edgeflow_dsp_fully_connected.h
 * says what they are. The loop over inputs is unrolled four times and entered in its middle where
 * the inputs are no multiple of 16. */
#if defined(__ARM_FEATURE_DSP)

    .syntax unified
    .thumb

/* r0 inputs, r1 weights; r8 and r10 both outputs of a pair, r9 and r11 the even one. */
    .macro four_inputs
    ldm     r1!, {r4, r5, r6, r7}
    ldrd    r2, r3, [r0], #8
    smlad   r8, r2, r4, r8
    sxtb16  r4, r4
    smlad   r9, r2, r4, r9
    smlad   r10, r2, r5, r10
    sxtb16  r5, r5
    smlad   r11, r2, r5, r11
    smlad   r8, r3, r6, r8
    sxtb16  r6, r6
    smlad   r9, r3, r6, r9
    smlad   r10, r3, r7, r10
    sxtb16  r7, r7
    smlad   r11, r3, r7, r11
    .endm

    .section .text.edgeflow_dsp_four_sums, "ax", %progbits
    .balign 4
    .global edgeflow_dsp_four_sums
    .type   edgeflow_dsp_four_sums, %function
edgeflow_dsp_four_sums:
    push    {r4, r5, r6, r7, r8, r9, r10, r11, lr}
    ldm     r2, {r4, r5, r6, r7}        /* biases */
    mov     r9, r4
    mov     r11, r6
    add     r8, r4, r5, lsl #8
    add     r10, r6, r7, lsl #8
    add     r12, r0, r3, lsl #1         /* end of the inputs */
    rsb     r3, r3, #0
    and     r3, r3, #12                 /* blocks to leave out, times four */
    lsr     r3, r3, #2
    adr     r2, .Linputs
    mov     r4, #54                     /* bytes of a block */
    mla     r2, r3, r4, r2
    orr     r2, r2, #1
    bx      r2
    .balign 4
.Linputs:
    four_inputs
.Linputs_1:
    four_inputs
    four_inputs
    four_inputs
    cmp     r0, r12
    bne     .Linputs
    sub     r8, r8, r9
    asr     r8, r8, #8
    sub     r10, r10, r11
    asr     r10, r10, #8
    ldr     r0, [sp, #36]
    strd    r9, r8, [r0]
    strd    r11, r10, [r0, #8]
    pop     {r4, r5, r6, r7, r8, r9, r10, r11, pc}
    .if (.Linputs_1 - .Linputs) != 54
    .error "a block of four inputs is not 54 bytes long"
    .endif
    .size   edgeflow_dsp_four_sums, . - edgeflow_dsp_four_sums

#endif
