/* Startup of a Cortex-M: vector table, reset handler, fault handlers. */

#include <stdint.h>

#include "edgeflow_boot.h"

extern uint32_t edgeflow_stack_top[];
extern uint32_t edgeflow_data_start[], edgeflow_data_end[];
extern const uint32_t edgeflow_data_load[];
extern uint32_t edgeflow_bss_start[], edgeflow_bss_end[];

/* The last fault, for a debugger: read it after the core has stopped in edgeflow_halt. */
volatile struct edgeflow_fault edgeflow_fault_record;

/* The vector registers belong to coprocessors 10 and 11, which are off after reset. */
static inline void enable_vectors(void)
{
#if defined(__ARM_FEATURE_MVE)
    volatile uint32_t *coprocessor_access = (volatile uint32_t *)0xE000ED88u;
    *coprocessor_access |= 0xFu << 20;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
#endif
}

/* The linker script aligns every bound to 4 bytes, so both loops go by words. */
void edgeflow_reset(void)
{
    enable_vectors();
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

/* `frame` is what the core stacked: r0, r1, r2, r3, r12, lr, pc, xpsr. */
__attribute__((used)) void edgeflow_record_fault(const uint32_t *frame)
{
    uint32_t exception;
    __asm__ volatile("mrs %0, ipsr" : "=r"(exception));
    edgeflow_fault_record.exception = exception;
    edgeflow_fault_record.lr = frame[5];
    edgeflow_fault_record.pc = frame[6];
    edgeflow_fault_record.status = frame[7];
    edgeflow_halt();
}

__attribute__((naked)) void edgeflow_fault_handler(void)
{
    __asm__ volatile("mrs r0, msp\n\tbl edgeflow_record_fault");
}

__attribute__((section(".vectors"), used)) const struct edgeflow_vectors edgeflow_vectors = {
    .initial_stack = edgeflow_stack_top,
    .handlers = {
        edgeflow_reset,
        edgeflow_fault_handler, /* NMI */
        edgeflow_fault_handler, /* HardFault */
        edgeflow_fault_handler, /* MemManage */
        edgeflow_fault_handler, /* BusFault */
        edgeflow_fault_handler, /* UsageFault */
        edgeflow_fault_handler, /* SecureFault */
        edgeflow_fault_handler, /* reserved */
        edgeflow_fault_handler, /* reserved */
        edgeflow_fault_handler, /* reserved */
        edgeflow_fault_handler, /* SVCall */
        edgeflow_fault_handler, /* DebugMonitor */
        edgeflow_fault_handler, /* reserved */
        edgeflow_fault_handler, /* PendSV */
        edgeflow_fault_handler, /* SysTick */
    },
};
