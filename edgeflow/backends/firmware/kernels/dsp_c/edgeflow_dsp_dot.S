/* Inner products for cores with the DSP extension; edgeflow_dsp_dot.h says what they compute.
 *
 * Both functions loop over pairs of output channels. The loop over taps is unrolled four times four
 * taps; it is entered in the middle where the taps are no multiple of 16.
 */
#if defined(__ARM_FEATURE_DSP)

    .syntax unified
    .thumb

/* Four taps of three pixels: r0 pixels, r1 weights, r7 to r9 both channels, r10 to r12 channel 0. */
    .macro three_pixels_four_taps
    ldrd    r5, r6, [r1], #8
    ldm     r0!, {r2, r3, r4}
    smlad   r7, r2, r5, r7
    smlad   r8, r3, r5, r8
    smlad   r9, r4, r5, r9
    sxtb16  r5, r5
    smlad   r10, r2, r5, r10
    smlad   r11, r3, r5, r11
    smlad   r12, r4, r5, r12
    ldm     r0!, {r2, r3, r4}
    smlad   r7, r2, r6, r7
    smlad   r8, r3, r6, r8
    smlad   r9, r4, r6, r9
    sxtb16  r6, r6
    smlad   r10, r2, r6, r10
    smlad   r11, r3, r6, r11
    smlad   r12, r4, r6, r12
    .endm

/* Sum of channel 0 to int8 as edgeflow_dsp_rescale; r0 base, r4 shift in the low byte. */
    .macro requantize sum, multiplier
    add     r5, r0, \sum, asr #31
    lsl     \sum, \sum, #1
    smmlar  \sum, \sum, \multiplier, r5
    asr     \sum, \sum, r4
    ssat    \sum, #8, \sum
    .endm

/* The same from 256 times the sum. */
    .macro requantize_256 sum, multiplier
    add     r5, r0, \sum, asr #31
    asr     \sum, \sum, #7
    smmlar  \sum, \sum, \multiplier, r5
    asr     \sum, \sum, r4
    ssat    \sum, #8, \sum
    .endm

/* r0 the base for the shift in r4's low byte, from 2 * zero point + 1 at [sp + offset]. */
    .macro load_base offset
    ldr     r0, [sp, #\offset]
    lsl     r0, r0, r4
    asr     r0, r0, #1
    .endm

/* Stack: the pixels and their end, the output and its step to the next pixel, outputs to go, channels,
 * where the loop over taps is entered, 2 * zero point + 1. */
    .equ    PIXELS, 0
    .equ    OUTPUT, 8
    .equ    TO_GO, 16
    .equ    CHANNELS, 20
    .equ    ENTRY, 24
    .equ    BASE, 28

    .section .text.edgeflow_dsp_three_pixels, "ax", %progbits
    .balign 4
    .global edgeflow_dsp_three_pixels
    .type   edgeflow_dsp_three_pixels, %function
edgeflow_dsp_three_pixels:
    push    {r4, r5, r6, r7, r8, r9, r10, r11, lr}
    mov     r4, r2
    ldr     r2, [r0, #16]               /* base */
    ldm     r0, {r9, r10, r11, r12}     /* weights, channels, taps, outputs */
    add     r3, r11, r11, lsl #1
    add     r3, r1, r3, lsl #1          /* three pixels of two bytes a tap */
    mov     r5, r12
    mov     r6, r12
    mov     r7, r10
    rsb     r8, r11, #0
    and     r8, r8, #12                 /* four-tap blocks to leave out, times four */
    adr     r0, .Lthree_taps
    add     r8, r0, r8, lsl #4          /* a block is 64 bytes long */
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
    add     r7, r7, r10
    ldrd    r0, lr, [sp, #PIXELS]
    mov     r8, r7
    mov     r9, r7
    mov     r11, r10
    mov     r12, r10
    ldr     pc, [sp, #ENTRY]
    .balign 4
.Lthree_taps:
    three_pixels_four_taps
.Lthree_taps_1:
    three_pixels_four_taps
    three_pixels_four_taps
    three_pixels_four_taps
    cmp     r0, lr
    bne     .Lthree_taps

    ldr     r3, [sp, #CHANNELS]
    ldrd    r6, lr, [sp, #OUTPUT]
    sub     r7, r7, r10
    sub     r8, r8, r11
    sub     r9, r9, r12
    ldrd    r4, r2, [r3], #8            /* shift in the low byte, multiplier */
    load_base BASE
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
    ldrd    r4, r2, [r3], #8
    str     r3, [sp, #CHANNELS]
    add     r6, r6, #1
    load_base BASE
    requantize_256 r7, r2
    strb    r7, [r6]
    requantize_256 r8, r2
    strb    r8, [r6, lr]
    requantize_256 r9, r2
    strb    r9, [r6, lr, lsl #1]
    add     r6, r6, #1
    str     r6, [sp, #OUTPUT]
    mov     r0, r3
    bne     .Lthree_pair                /* the flags are those of the outputs to go */
.Lthree_done:
    add     sp, sp, #32
    pop     {r4, r5, r6, r7, r8, r9, r10, r11, pc}
    .if (.Lthree_taps_1 - .Lthree_taps) != 64
    .error "a block of four taps is not 64 bytes long"
    .endif
    .size   edgeflow_dsp_three_pixels, . - edgeflow_dsp_three_pixels

/* Four taps of one pixel: r0 pixel, r1 weights, r7 both channels, r10 channel 0. */
    .macro one_pixel_four_taps
    ldrd    r2, r3, [r0], #8
    ldrd    r5, r6, [r1], #8
    smlad   r7, r2, r5, r7
    sxtb16  r5, r5
    smlad   r10, r2, r5, r10
    smlad   r7, r3, r6, r7
    sxtb16  r6, r6
    smlad   r10, r3, r6, r10
    .endm

    .section .text.edgeflow_dsp_one_pixel, "ax", %progbits
    .balign 4
    .global edgeflow_dsp_one_pixel
    .type   edgeflow_dsp_one_pixel, %function
edgeflow_dsp_one_pixel:
    push    {r4, r5, r6, r7, r8, r9, r10, r11, lr}
    ldm     r0, {r3, r4, r5, r6, r7}    /* weights, channels, taps, outputs, base */
    mov     r9, r2
    mov     r11, r4
    mov     r12, r6
    add     lr, r1, r5, lsl #1
    rsb     r8, r5, #0
    and     r8, r8, #12
    adr     r2, .Lone_taps
    add     r8, r2, r8, lsl #3          /* a block is 32 bytes long */
    orr     r8, r8, #1
    push    {r1, r7, r8}
    mov     r1, r3
.Lone_pair:
    ldr     r10, [r11]
    ldr     r7, [r11, #8]
    bic     r7, r7, #255
    asr     r10, r10, #8
    add     r7, r7, r10
    ldr     r0, [sp]
    ldr     pc, [sp, #8]
    .balign 4
.Lone_taps:
    one_pixel_four_taps
.Lone_taps_1:
    one_pixel_four_taps
    one_pixel_four_taps
    one_pixel_four_taps
    cmp     r0, lr
    bne     .Lone_taps

    sub     r7, r7, r10
    ldrd    r4, r2, [r11], #8
    load_base 4
    requantize r10, r2
    strb    r10, [r9], #1
    subs    r12, r12, #2
    bmi     .Lone_done
    ldrd    r4, r2, [r11], #8
    load_base 4
    requantize_256 r7, r2
    strb    r7, [r9], #1
    bne     .Lone_pair
.Lone_done:
    add     sp, sp, #12
    pop     {r4, r5, r6, r7, r8, r9, r10, r11, pc}
    .if (.Lone_taps_1 - .Lone_taps) != 32
    .error "a block of four taps is not 32 bytes long"
    .endif
    .size   edgeflow_dsp_one_pixel, . - edgeflow_dsp_one_pixel

#endif
