/* Startup of a RISC-V core without operating system, in machine mode: reset and trap handler. */

#include <stdint.h>

#include "edgeflow_boot.h"

extern uint32_t edgeflow_data_start[], edgeflow_data_end[];
extern const uint32_t edgeflow_data_load[];
extern uint32_t edgeflow_bss_start[], edgeflow_bss_end[];

/* The last fault, for a debugger: read it after the core has stopped in edgeflow_halt. */
volatile struct edgeflow_fault edgeflow_fault_record;

/* The first instructions of the image. */
__attribute__((naked, used, section(".vectors"))) void edgeflow_reset(void)
{
    __asm__ volatile("la sp, edgeflow_stack_top\n\t"
                     "la t0, edgeflow_trap\n\t"
                     "csrw mtvec, t0\n\t"
                     "j edgeflow_start");
}

/* The linker script aligns every bound to 4 bytes, so both loops go by words. */
__attribute__((used)) void edgeflow_start(void)
{
    const uint32_t *from = edgeflow_data_load;
    for (volatile uint32_t *to = edgeflow_data_start; to < edgeflow_data_end; ++to)
        *to = *from++;
    for (volatile uint32_t *to = edgeflow_bss_start; to < edgeflow_bss_end; ++to)
        *to = 0;
    edgeflow_main();
    edgeflow_halt();
}

__attribute__((noinline)) void edgeflow_halt(void)
{
    for (;;)
        __asm__ volatile("" ::: "memory");
}

/* Uses no stack: a trap may come from its overflow. */
__attribute__((naked, used, aligned(4))) void edgeflow_trap(void)
{
    __asm__ volatile("la t0, edgeflow_fault_record\n\t"
                     "csrr t1, mcause\n\t"
                     "sw t1, 0(t0)\n\t"
                     "csrr t1, mepc\n\t"
                     "sw t1, 4(t0)\n\t"
                     "sw ra, 8(t0)\n\t"
                     "csrr t1, mtval\n\t"
                     "sw t1, 12(t0)\n\t"
                     "j edgeflow_halt");
}
