/* Depthwise filters of any size for cores with the DSP extension, outputs one column apart;
 * edgeflow_dsp_plane.h says what is computed.
 */
#if defined(__ARM_FEATURE_DSP)

#include "edgeflow_dsp_plane_neighbours_function.h"

/* As edgeflow_dsp_rescale: r2 multiplier, r3 base, r4 shift. */
    .macro requantize sum
    add     r5, r3, \sum, asr #31
    lsl     \sum, \sum, #1
    smmlar  \sum, \sum, r2, r5
    asr     \sum, \sum, r4
    ssat    \sum, #8, \sum
    .endm

    plane_neighbours edgeflow_dsp_plane_neighbours

#endif
