/* What edgeflow_dsp_int4_dense.S does, for hosts without the DSP extension. */
#include "edgeflow_dsp_fully_connected.h"

#if !defined(__ARM_FEATURE_DSP)

#define WEIGHT_BITS 4
#define STORED_ZERO 8
#define SUM_SHIFT 4
#include "edgeflow_dsp_dense_twin.h"

void edgeflow_dsp_int4_dense(const edgeflow_dsp_fully_connected_layer *layer,
                             const edgeflow_word *input, int8_t *output)
{
    dense(layer, input, output);
}

#endif
