/* What edgeflow_dsp_int2_dense.S does, for hosts without the DSP extension. */
#include "edgeflow_dsp_fully_connected.h"

#if !defined(__ARM_FEATURE_DSP)

#define WEIGHT_BITS 2
#define STORED_ZERO 2
#define SUM_SHIFT 6
#include "edgeflow_dsp_dense_twin.h"

void edgeflow_dsp_int2_dense(const edgeflow_dsp_fully_connected_layer *layer,
                             const edgeflow_word *input, int8_t *output)
{
    dense(layer, input, output);
}

#endif
