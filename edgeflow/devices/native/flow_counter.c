/* Counts how often every instruction of one inference runs, and how often it changes the flow.

   Blocks of instructions are told by their first address and their size; what follows a block
   somewhere else than at its end was reached by a branch in its last instruction. */

#include <stdint.h>

/* Mirrored by _Flow in flow_counter.py. Tables have one entry for each halfword of code and one
   more. */
struct flow {
    int64_t *changes;    /* of the number of executions, from each halfword to the next */
    uint64_t *taken;     /* branches taken by the instruction that ends before a halfword */
    uint32_t code_address;
    uint32_t code_bytes;
    uint32_t invoke;     /* the function whose call is counted */
    uint32_t main_first; /* the function that calls it */
    uint32_t main_end;
    uint32_t previous_end;
    uint32_t active;
};

void count_flow(void *engine, uint64_t address, uint32_t size, void *user_data)
{
    struct flow *flow = user_data;
    const uint32_t start = (uint32_t)address;
    const uint32_t offset = start - flow->code_address;
    (void)engine;
    if (offset >= flow->code_bytes || size > flow->code_bytes - offset)
        return; /* the emulator faults by itself */
    if (flow->active && start != flow->previous_end)
        ++flow->taken[(flow->previous_end - flow->code_address) / 2];
    if (start == flow->invoke)
        flow->active = 1;
    else if (start >= flow->main_first && start < flow->main_end)
        flow->active = 0;
    flow->previous_end = start + size;
    if (!flow->active)
        return;
    ++flow->changes[offset / 2];
    --flow->changes[(offset + size) / 2];
}
