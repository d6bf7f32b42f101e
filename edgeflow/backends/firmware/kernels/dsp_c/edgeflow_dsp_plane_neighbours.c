/* What edgeflow_dsp_plane_neighbours.S does, for hosts without the DSP extension. */
#include "edgeflow_dsp_plane.h"

#if !defined(__ARM_FEATURE_DSP)

void edgeflow_dsp_plane_neighbours(edgeflow_dsp_plane *plane, const edgeflow_word *values,
                                   int8_t *output)
{
    edgeflow_dsp_plane_any(plane, 2, values, output);
}

#endif
