/* Dense layers for cores with the DSP extension; edgeflow_dsp_fully_connected.h says what they are.
 * The loop over inputs is unrolled four times and entered in its middle where the inputs are no
 * multiple of 16. */
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

/* r2 base, r3 shift. */
    .macro requantize sum, multiplier
    smmla   \sum, \sum, \multiplier, r2
    asr     \sum, \sum, r3
    ssat    \sum, #8, \sum
    .endm

/* Stack: where the loop over inputs is entered, the inputs, base and shift, outputs to go. */
    .equ    ENTRY, 0
    .equ    INPUT, 4
    .equ    BASE, 8
    .equ    TO_GO, 16

    .section .text.edgeflow_dsp_dense, "ax", %progbits
    .balign 4
    .global edgeflow_dsp_dense
    .type   edgeflow_dsp_dense, %function
edgeflow_dsp_dense:
    push    {r4, r5, r6, r7, r8, r9, r10, r11, lr}
    mov     r3, r1
    mov     lr, r2                      /* output */
    ldm     r0, {r1, r4, r5, r6, r7, r8}    /* weights, constants, inputs, outputs, base, shift */
    add     r12, r3, r5, lsl #1         /* end of the inputs */
    rsb     r5, r5, #0
    ubfx    r5, r5, #2, #2              /* blocks to leave out */
    adr     r2, .Linputs
    mov     r0, #54                     /* bytes of a block */
    mla     r2, r5, r0, r2
    orr     r2, r2, #1
    sub     sp, sp, #20
    stm     sp, {r2, r3}
    strd    r7, r8, [sp, #BASE]
    str     r6, [sp, #TO_GO]
    mov     r0, r4
.Lfour_outputs:
    ldm     r0!, {r4, r5, r6, r7}       /* biases */
    push    {r0}
    mov     r9, r4
    mov     r11, r6
    add     r8, r4, r5, lsl #8
    add     r10, r6, r7, lsl #8
    ldr     r0, [sp, #4 + INPUT]
    ldr     pc, [sp, #4 + ENTRY]
    .balign 4
.Linputs:
    four_inputs
.Linputs_1:
    four_inputs
    four_inputs
    four_inputs
    cmp     r0, r12
    bne     .Linputs
    pop     {r0}
    sub     r8, r8, r9
    asr     r8, r8, #8
    sub     r10, r10, r11
    asr     r10, r10, #8
    ldm     r0!, {r4, r5, r6, r7}       /* multipliers */
    ldrd    r2, r3, [sp, #BASE]
    requantize r9, r4
    requantize r8, r5
    requantize r11, r6
    requantize r10, r7
    ldr     r2, [sp, #TO_GO]
    subs    r2, r2, #4
    str     r2, [sp, #TO_GO]
    strb    r9, [lr], #1
    blt     .Ltail
    strb    r8, [lr], #1
    strb    r11, [lr], #1
    strb    r10, [lr], #1
    bne     .Lfour_outputs              /* the flags are those of the outputs to go */
.Ldone:
    add     sp, sp, #20
    pop     {r4, r5, r6, r7, r8, r9, r10, r11, pc}
.Ltail:
    adds    r2, r2, #3                  /* outputs that are left after the first */
    beq     .Ldone
    strb    r8, [lr], #1
    subs    r2, r2, #1
    beq     .Ldone
    strb    r11, [lr]
    b       .Ldone
    .if (.Linputs_1 - .Linputs) != 54
    .error "a block of four inputs is not 54 bytes long"
    .endif
    .size   edgeflow_dsp_dense, . - edgeflow_dsp_dense

#endif
