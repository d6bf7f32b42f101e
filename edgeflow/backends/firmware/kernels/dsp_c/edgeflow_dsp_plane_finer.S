/* Depthwise filters of any size for cores with the DSP extension, outputs one column apart;
 * edgeflow_dsp_plane.h says what is computed. For channels with scales of 1/2 and more.
 */
#if defined(__ARM_FEATURE_DSP)

#include "edgeflow_dsp_plane_neighbours_function.h"

/* As in edgeflow_dsp_plane_finer.c: r2 multiplier, r3 base, r4 shift. */
    .macro requantize sum
    lsl     \sum, \sum, #9
    smmla   \sum, \sum, r2, r3
    asr     \sum, \sum, r4
    ssat    \sum, #8, \sum
    .endm

    plane_neighbours edgeflow_dsp_plane_finer_neighbours

#endif
