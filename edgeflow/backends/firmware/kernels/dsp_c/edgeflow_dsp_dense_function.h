/* A dense layer in assembler for one width of weights; edgeflow_dsp_fully_connected.h says what it
 * is. The loop over inputs takes 16 of them in a turn, in blocks; it is entered in the middle where the
 * inputs are no multiple of 16. The file that includes this one defines what depends on the width:
 *
 *   BLOCK_INPUTS, BLOCK_BYTES   inputs of a block, and the bytes of its code
 *   dense_block                 the products of a block
 *   dense_setup                 before all: may push MORE_DENSE bytes
 *   dense_start                 r8 to r11 from the biases r4 to r7: of each pair of outputs 256 times
 *                               the odd one's plus the even one's, then the even one's
 *   dense_separate              r8 to r11 from such sums to the sums of outputs 1, 0, 3, 2, each times
 *                               2^sum shift
 */
    .syntax unified
    .thumb

/* r2 base, r3 shift. */
    .macro requantize sum, multiplier
    smmla   \sum, \sum, \multiplier, r2
    asr     \sum, \sum, r3
    ssat    \sum, #8, \sum
    .endm

/* Stack: where the loop over inputs is entered, the inputs, base and shift, outputs to go, the
 * multipliers and their step. */
    .equ    ENTRY, 0
    .equ    INPUT, 4
    .equ    BASE, 8
    .equ    TO_GO, 16
    .equ    MULTIPLIERS, 20
    .equ    MORE, 28

    .macro dense name
    .section .text.\name, "ax", %progbits
    .balign 4
    .global \name
    .type   \name, %function
\name:
    push    {r4, r5, r6, r7, r8, r9, r10, r11, lr}
    dense_setup
    mov     r3, r1
    mov     lr, r2                      /* output */
    ldm     r0, {r1, r4, r5, r6, r7, r8}    /* weights, bias, inputs, outputs, base, shift */
    ldrd    r9, r10, [r0, #24]
    add     r12, r3, r5, lsl #1         /* end of the inputs */
    rsb     r5, r5, #0
    ubfx    r5, r5, #1, #3              /* inputs to leave out, by two */
    adr     r2, .Linputs
    mov     r0, #BLOCK_BYTES / (BLOCK_INPUTS / 2)
    mla     r2, r5, r0, r2
    orr     r2, r2, #1
    sub     sp, sp, #MORE
    stm     sp, {r2, r3}
    strd    r7, r8, [sp, #BASE]
    str     r6, [sp, #TO_GO]
    str     r9, [sp, #MULTIPLIERS]
    str     r10, [sp, #MULTIPLIERS + 4]
    mov     r0, r4
.Lfour_outputs:
    ldm     r0!, {r4, r5, r6, r7}       /* biases */
    push    {r0}
    dense_start
    ldr     r0, [sp, #4 + INPUT]
    ldr     pc, [sp, #4 + ENTRY]
    .balign 4
.Linputs:
    dense_block
.Linputs_1:
    .rept   16 / BLOCK_INPUTS - 1
    dense_block
    .endr
    cmp     r0, r12
    bne     .Linputs
    pop     {r0}
    dense_separate
    ldrd    r2, r3, [sp, #MULTIPLIERS]
    ldm     r2, {r4, r5, r6, r7}
    add     r2, r2, r3
    str     r2, [sp, #MULTIPLIERS]
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
    add     sp, sp, #MORE + MORE_DENSE
    pop     {r4, r5, r6, r7, r8, r9, r10, r11, pc}
.Ltail:
    adds    r2, r2, #3                  /* outputs that are left after the first */
    beq     .Ldone
    strb    r8, [lr], #1
    subs    r2, r2, #1
    beq     .Ldone
    strb    r11, [lr]
    b       .Ldone
    .if (.Linputs_1 - .Linputs) != BLOCK_BYTES
    .error "a block of inputs has another length"
    .endif
    .size   \name, . - \name
    .endm
