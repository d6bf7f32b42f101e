/* What startup code, harness and a debugger share. */

#ifndef EDGEFLOW_BOOT_H
#define EDGEFLOW_BOOT_H

#include <stdint.h>

struct edgeflow_vectors {
    uint32_t *initial_stack;
    void (*handlers[15])(void);
};

struct edgeflow_fault {
    uint32_t exception; /* number of the exception: 3 is HardFault; on RISC-V mcause */
    uint32_t pc;
    uint32_t lr;
    uint32_t status; /* xPSR; on RISC-V mtval */
};

/* Where the model's buffers lie; valid from the first edgeflow_exchange on. */
struct edgeflow_buffers {
    int8_t *input;
    const int8_t *output;
};

extern volatile struct edgeflow_fault edgeflow_fault_record;
extern volatile struct edgeflow_buffers edgeflow_buffers;

void edgeflow_main(void);
void edgeflow_exchange(void);
void edgeflow_halt(void);

#endif
