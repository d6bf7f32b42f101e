/* The program around the model: exchange an output for the next input, run, for ever. */

#include "edgeflow_boot.h"
#include "edgeflow_model.h"

volatile struct edgeflow_buffers edgeflow_buffers;

/* A test device stops here, reads the output and writes the next input.
   A product replaces it by what brings its data. */
__attribute__((noinline)) void edgeflow_exchange(void)
{
    __asm__ volatile("" ::: "memory");
}

void edgeflow_main(void)
{
    edgeflow_buffers.input = edgeflow_input();
    edgeflow_buffers.output = edgeflow_output();
    for (;;) {
        edgeflow_exchange();
        edgeflow_invoke();
    }
}
