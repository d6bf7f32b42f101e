/* One network on the first GPU of this machine. Needs the driver's library alone, libcuda.so.1. */
#ifndef EDGEFLOW_GPU_H
#define EDGEFLOW_GPU_H

#ifdef __cplusplus
extern "C" {
#endif

/* Load driver, kernels and weights, and put all launches into one graph; the kernels' text is in
 * the file `ptx`, the weights in the file `weights`. 0, or a message's number (edgeflow_gpu_error). */
int edgeflow_gpu_open(const char *ptx, const char *weights);

/* Where input and output lie, as floats in the order of the integer graph. */
float *edgeflow_gpu_input(void);
const float *edgeflow_gpu_output(void);

/* One inference: copy the input, launch the graph, wait, copy the output. 0, or as above. */
int edgeflow_gpu_invoke(void);

/* What went wrong last. */
const char *edgeflow_gpu_error(void);

void edgeflow_gpu_close(void);

#ifdef __cplusplus
}
#endif
#endif
