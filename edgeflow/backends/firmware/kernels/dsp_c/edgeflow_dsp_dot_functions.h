/* The functions of edgeflow_dsp_dot.h in assembler, for one width of weights.
 *
 * Both loop over pairs of output channels. The loop over taps takes 16 of them in a turn, in blocks;
 * it is entered in the middle where the taps are no multiple of 16. The file that includes this one
 * defines what depends on the width:
 *
 *   BLOCK_TAPS, THREE_BYTES, ONE_BYTES  taps of a block, and the bytes of its code
 *   three_block, one_block              the products of a block
 *   three_setup, one_setup              before all: may push MORE_THREE or MORE_ONE bytes
 *   three_start, one_start              the accumulators of a pair, from r7 = 256 * bias of channel 1
 *                                       and r10 = bias of channel 0
 *   three_end                           compares the pixels in r0 with their end
 *   three_even, three_odd               the scale of a channel: r2 multiplier, r4 shift, r0 base
 *   one_even, one_odd                   the same from r11 on
 *   three_next                          r0 from the channels of a pair to those of the next
 *   requantize, requantize_256          a sum, or 256 times a sum, to int8
 *
 * What stands after a comparison keeps the flags.
 */
    .syntax unified
    .thumb

/* r0 the base for the shift in r4's low byte, from 2 * zero point + 1 at [sp + offset]. */
    .macro load_base offset
    ldr     r0, [sp, #\offset]
    lsl     r0, r0, r4
    asr     r0, r0, #1
    .endm

/* Where the loop is entered: behind the blocks of a turn that are not needed. */
    .macro entry to, taps, free, block_bytes
    rsb     \to, \taps, #0
    ubfx    \to, \to, #1, #3            /* taps to leave out, by two */
    mov     \free, #\block_bytes / (BLOCK_TAPS / 2)
    mul     \to, \to, \free
    .endm

/* Stack: the pixels and their end, the output and its step to the next pixel, outputs to go, channels,
 * where the loop over taps is entered, 2 * zero point + 1. */
    .equ    PIXELS, 0
    .equ    END, 4
    .equ    OUTPUT, 8
    .equ    TO_GO, 16
    .equ    CHANNELS, 20
    .equ    ENTRY, 24
    .equ    BASE, 28
    .equ    MORE, 32

    .macro three_pixels name
    .section .text.\name, "ax", %progbits
    .balign 4
    .global \name
    .type   \name, %function
\name:
    push    {r4, r5, r6, r7, r8, r9, r10, r11, lr}
    three_setup
    mov     r4, r2
    ldr     r2, [r0, #16]               /* base */
    ldm     r0, {r9, r10, r11, r12}     /* weights, channels, taps, outputs */
    add     r3, r11, r11, lsl #1
    add     r3, r1, r3, lsl #1          /* three pixels of two bytes a tap */
    mov     r5, r12
    mov     r6, r12
    mov     r7, r10
    entry   r8, r11, r0, THREE_BYTES
    adr     r0, .Lthree_taps
    add     r8, r8, r0
    orr     r8, r8, #1
    mov     r0, r9
    mov     r9, r2
    push    {r1, r3, r4, r5, r6, r7, r8, r9}
    mov     r1, r0
    mov     r0, r7
.Lthree_pair:
    ldr     r10, [r0]
    ldr     r7, [r0, #8]
    bic     r7, r7, #255                /* 256 times the bias */
    asr     r10, r10, #8
    three_start
    ldr     pc, [sp, #ENTRY]
    .balign 4
.Lthree_taps:
    three_block
.Lthree_taps_1:
    .rept   16 / BLOCK_TAPS - 1
    three_block
    .endr
    three_end
    bne     .Lthree_taps

    ldrd    r6, lr, [sp, #OUTPUT]
    sub     r7, r7, r10
    sub     r8, r8, r11
    sub     r9, r9, r12
    three_even
    requantize r10, r2
    strb    r10, [r6]
    requantize r11, r2
    strb    r11, [r6, lr]
    requantize r12, r2
    strb    r12, [r6, lr, lsl #1]
    ldr     r2, [sp, #TO_GO]
    subs    r2, r2, #2
    str     r2, [sp, #TO_GO]
    bmi     .Lthree_done
    add     r6, r6, #1
    three_odd
    requantize_256 r7, r2
    strb    r7, [r6]
    requantize_256 r8, r2
    strb    r8, [r6, lr]
    requantize_256 r9, r2
    strb    r9, [r6, lr, lsl #1]
    add     r6, r6, #1
    str     r6, [sp, #OUTPUT]
    three_next
    bne     .Lthree_pair                /* the flags are those of the outputs to go */
.Lthree_done:
    add     sp, sp, #MORE + MORE_THREE
    pop     {r4, r5, r6, r7, r8, r9, r10, r11, pc}
    .if (.Lthree_taps_1 - .Lthree_taps) != THREE_BYTES
    .error "a block of taps of three pixels has another length"
    .endif
    .size   \name, . - \name
    .endm

/* Stack: the pixel, 2 * zero point + 1, where the loop over taps is entered. */
    .equ    ONE_BASE, 4
    .equ    ONE_ENTRY, 8
    .equ    ONE_MORE, 12

    .macro one_pixel name
    .section .text.\name, "ax", %progbits
    .balign 4
    .global \name
    .type   \name, %function
\name:
    push    {r4, r5, r6, r7, r8, r9, r10, r11, lr}
    one_setup
    ldm     r0, {r3, r4, r5, r6, r7}    /* weights, channels, taps, outputs, base */
    mov     r9, r2
    mov     r11, r4
    mov     r12, r6
    add     lr, r1, r5, lsl #1
    entry   r8, r5, r2, ONE_BYTES
    adr     r2, .Lone_taps
    add     r8, r8, r2
    orr     r8, r8, #1
    push    {r1, r7, r8}
    mov     r1, r3
.Lone_pair:
    ldr     r10, [r11]
    ldr     r7, [r11, #8]
    bic     r7, r7, #255
    asr     r10, r10, #8
    one_start
    ldr     r0, [sp]
    ldr     pc, [sp, #ONE_ENTRY]
    .balign 4
.Lone_taps:
    one_block
.Lone_taps_1:
    .rept   16 / BLOCK_TAPS - 1
    one_block
    .endr
    cmp     r0, lr
    bne     .Lone_taps

    sub     r7, r7, r10
    one_even
    requantize r10, r2
    strb    r10, [r9], #1
    subs    r12, r12, #2
    bmi     .Lone_done
    one_odd
    requantize_256 r7, r2
    strb    r7, [r9], #1
    bne     .Lone_pair
.Lone_done:
    add     sp, sp, #ONE_MORE + MORE_ONE
    pop     {r4, r5, r6, r7, r8, r9, r10, r11, pc}
    .if (.Lone_taps_1 - .Lone_taps) != ONE_BYTES
    .error "a block of taps of one pixel has another length"
    .endif
    .size   \name, . - \name
    .endm
