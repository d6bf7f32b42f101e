/* Counts the instructions of an emulated core, layer by layer.

   The emulator calls count_block at the start of every block of instructions that it executes, with
   the block's address and size; an interrupted block would end the run, so every block that starts
   is executed whole. All instructions of an Arm core's IT block count: where the condition fails,
   the core executes them as NOPs. */

#include <stdint.h>

enum { OWNER_UNCHANGED = 0xffff, OWNER_NEXT_LAYER = 0xfffe };
enum { OWNER_OUTSIDE = 0, OWNER_INVOKE = 1, OWNER_FIRST_LAYER = 2 };
enum { RUNNING = 0, OUT_OF_INSTRUCTIONS = 1, OUT_OF_TIME = 2 };

/* What tells instructions of 4 bytes from those of 2: Thumb has 0b11101, 0b11110 or 0b11111 in the
   top bits of the first halfword, RISC-V 0b11 in the lowest. */
enum { THUMB = 0, RISCV = 1 };

/* The last size seen for a block at an address, and its number of instructions. */
struct block {
    uint16_t size_bytes;
    uint16_t instructions;
};

/* Mirrored by Counter in block_counter.py. Tables have one entry for each halfword of code. */
struct counter {
    const uint8_t *code;
    const uint16_t *owners; /* who owns what runs from a block that starts there */
    struct block *blocks;
    uint64_t *instructions; /* for each owner */
    uint64_t *entries;      /* for each owner: calls from edgeflow_invoke */
    uint64_t left;          /* instructions until the limit */
    int (*stop)(void *engine);
    uint32_t code_address;
    uint32_t code_bytes;
    uint32_t instruction_set;
    uint32_t owner;
    uint32_t last_owner; /* the last layer's */
    uint32_t next_layer; /* owner of the next call of an interpreter */
    uint32_t state;
    volatile uint32_t expired; /* set from another thread when the time is over */
};

static int is_wide(uint32_t instruction_set, const uint8_t *code)
{
    return instruction_set == RISCV ? (code[0] & 3) == 3 : code[1] >> 3 >= 0x1d;
}

static uint32_t count_instructions(uint32_t instruction_set, const uint8_t *code, uint32_t bytes)
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < bytes; ++count)
        at += is_wide(instruction_set, code + at) ? 4 : 2;
    return count;
}

/* A kernel that several layers share: the order of the calls says which of them runs. One call too
   many counts for the last layer, which is then found to have been called twice. */
static uint32_t next_layer(struct counter *counter)
{
    if (counter->owner != OWNER_INVOKE)
        return OWNER_UNCHANGED;
    return counter->next_layer < counter->last_owner ? counter->next_layer++ : counter->last_owner;
}

void count_block(void *engine, uint64_t address, uint32_t size, void *user_data)
{
    struct counter *counter = user_data;
    const uint64_t offset = address - counter->code_address;
    if (offset >= counter->code_bytes || size > counter->code_bytes - offset || size == 0)
        return; /* outside of flash: the emulator faults by itself */
    const uint32_t slot = (uint32_t)offset / 2;
    struct block *block = &counter->blocks[slot];
    if (block->size_bytes != size) {
        block->size_bytes = (uint16_t)size;
        block->instructions = (uint16_t)count_instructions(counter->instruction_set,
                                                           counter->code + offset, size);
    }
    uint32_t owner = counter->owners[slot];
    if (owner == OWNER_NEXT_LAYER)
        owner = next_layer(counter);
    if (owner != OWNER_UNCHANGED) {
        if (owner >= OWNER_FIRST_LAYER && counter->owner == OWNER_INVOKE)
            ++counter->entries[owner];
        counter->owner = owner;
    }
    counter->instructions[counter->owner] += block->instructions;
    if (counter->expired)
        counter->state = OUT_OF_TIME;
    else if (counter->left < block->instructions)
        counter->state = OUT_OF_INSTRUCTIONS;
    else
        counter->left -= block->instructions;
    if (counter->state != RUNNING)
        counter->stop(engine);
}
