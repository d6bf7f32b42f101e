/* What the assembler of int4 and of int2 weights has in common.
 *
 * Weights are stored as w + 8 or w + 2, so that one mask takes the bytes of two lanes out of a word.
 * What the 8 or 2 contribute is the same for all channels: the accumulators of a pixel begin with
 * minus that many times the sum of its inputs. The file that includes this one defines FIELDS, the
 * mask, NOT_MINUS_ZEROS, the complement of two lanes of minus 8 or 2, and SUM_SHIFT: sums of narrow
 * weights are small and their scales large, so that sums are multiplied by 2^SUM_SHIFT first.
 */
#include "edgeflow_dsp_dot_functions.h"

    .equ    MORE_THREE, 12
    .equ    MORE_ONE, 4

/* Two taps of three pixels: r2 to r4 inputs, r6 weights, r7 to r9 both channels, r10 to r12 channel
 * 0. */
    .macro three_products
    smlad   r7, r2, r6, r7
    smlad   r8, r3, r6, r8
    smlad   r9, r4, r6, r9
    uxtb16  r6, r6
    smlad   r10, r2, r6, r10
    smlad   r11, r3, r6, r11
    smlad   r12, r4, r6, r12
    .endm

/* Two taps of one pixel: r6 weights, r7 both channels, r10 channel 0. */
    .macro one_product input
    smlad   r7, \input, r6, r7
    uxtb16  r6, r6
    smlad   r10, \input, r6, r10
    .endm

/* edgeflow_dsp_narrow_rescale; r3 is what is taken off the base below zero, negative. */
    .macro requantize sum, multiplier
    and     r5, r3, \sum, asr #31
    add     r5, r5, r0
    lsl     \sum, \sum, #1 + SUM_SHIFT
    smmla   \sum, \sum, \multiplier, r5
    asr     \sum, \sum, r4
    ssat    \sum, #8, \sum
    .endm

    .macro requantize_256 sum, multiplier
    and     r5, r3, \sum, asr #31
    add     r5, r5, r0
    asr     \sum, \sum, #7 - SUM_SHIFT
    smmla   \sum, \sum, \multiplier, r5
    asr     \sum, \sum, r4
    ssat    \sum, #8, \sum
    .endm

/* r4 is bias, shift and whether to round twice; r0 and r3 for it, and the shift alone in r4. */
    .macro scale base
    ubfx    r3, r4, #5, #1
    and     r4, r4, #31
    load_base \base
    add     r0, r0, r3, lsl #SUM_SHIFT - 1
    rsb     r3, r3, #0
    lsl     r3, r3, #SUM_SHIFT
    .endm

    .macro three_even
    ldr     r3, [sp, #CHANNELS]
    ldrd    r4, r2, [r3]
    scale   BASE
    .endm

    .macro three_odd
    ldr     r3, [sp, #CHANNELS]
    ldrd    r4, r2, [r3, #8]
    add     r3, r3, #16
    str     r3, [sp, #CHANNELS]
    scale   BASE
    .endm

    .macro three_next
    ldr     r0, [sp, #CHANNELS]
    .endm

    .macro one_even
    ldrd    r4, r2, [r11], #8
    scale   ONE_BASE
    .endm

    .macro one_odd
    one_even
    .endm

/* r0 to r2 are the arguments; the offsets of three pixels go to the stack. */
    .macro three_setup
    ldr     r3, [r0, #8]                /* taps */
    add     r4, r3, r3, lsl #1
    add     r4, r1, r4, lsl #1          /* end of the pixels */
    mvn     r12, #NOT_MINUS_ZEROS
    mov     r11, r1
    mov     r8, #0
    mov     r9, #0
    mov     r10, #0
.Lthree_offsets:
    ldm     r11!, {r5, r6, r7}
    smlad   r8, r5, r12, r8
    smlad   r9, r6, r12, r9
    smlad   r10, r7, r12, r10
    ldm     r11!, {r5, r6, r7}
    smlad   r8, r5, r12, r8
    smlad   r9, r6, r12, r9
    smlad   r10, r7, r12, r10
    cmp     r11, r4
    bne     .Lthree_offsets
    push    {r8, r9, r10}
    .endm

    .macro one_setup
    ldr     r3, [r0, #8]
    add     r4, r1, r3, lsl #1
    mvn     r12, #NOT_MINUS_ZEROS
    mov     r11, r1
    mov     r8, #0
.Lone_offset:
    ldrd    r5, r6, [r11], #8
    smlad   r8, r5, r12, r8
    smlad   r8, r6, r12, r8
    cmp     r11, r4
    bne     .Lone_offset
    push    {r8}
    .endm

/* The mask of fields is in lr, the end of the pixels stays on the stack. */
    .macro three_start
    ldrd    r2, r3, [sp, #MORE]
    ldr     r4, [sp, #MORE + 8]
    add     r11, r10, r3
    add     r12, r10, r4
    add     r10, r10, r2
    add     r8, r7, r3, lsl #8
    add     r9, r7, r4, lsl #8
    add     r7, r7, r2, lsl #8
    add     r8, r8, r11
    add     r9, r9, r12
    add     r7, r7, r10
    ldr     r0, [sp, #PIXELS]
    mov     lr, #FIELDS
    .endm

    .macro three_end
    ldr     r2, [sp, #END]
    cmp     r0, r2
    .endm

/* The mask of fields is in r8. */
    .macro one_start
    ldr     r2, [sp, #ONE_MORE]
    add     r10, r10, r2
    add     r7, r7, r2, lsl #8
    add     r7, r7, r10
    mov     r8, #FIELDS
    .endm
