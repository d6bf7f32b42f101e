/* A plugin of QEMU's code generator: feeds a firmware its inputs, takes its outputs, and counts its
   instructions, layer by layer.

   QEMU calls execute_block at the start of every block of instructions that it executes. The blocks
   of the firmware's exchange point are where the plugin acts: the board's RAM is a file that QEMU
   and the plugin both map, so an input is written where the firmware expects it, between two
   instructions and without a debugger. All instructions of an IT block count: where the condition
   fails, the core executes them as NOPs.

   Everything lies in the directory in which QEMU was started: the file `session` (struct session),
   `owners`, `inputs`, `outputs`, `counts` and `ram`. */

#define _POSIX_C_SOURCE 200809L

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What is used of QEMU's plugin interface, which has not changed it since version 1. */
typedef uint64_t plugin_id;
struct qemu_plugin_tb;
enum { QEMU_PLUGIN_CB_NO_REGS = 0 };
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
                                           void (*callback)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
                                          void (*callback)(unsigned int, void *), int flags,
                                          void *data);
void qemu_plugin_register_vcpu_idle_cb(plugin_id id, void (*callback)(plugin_id, unsigned int));

#define EXPORT __attribute__((visibility("default")))

EXPORT int qemu_plugin_version = PLUGIN_API_VERSION;

enum { OWNER_UNCHANGED = 0xffff, OWNER_NEXT_LAYER = 0xfffe };
enum { OWNER_OUTSIDE = 0, OWNER_INVOKE = 1, OWNER_FIRST_LAYER = 2 };
enum state {
    RUNNING = 0,
    DONE = 1,
    OUT_OF_INSTRUCTIONS = 2,
    HALTED = 3,
    ASLEEP = 4,
    OUTSIDE_OF_CODE = 5,
    BUFFERS_OUTSIDE_OF_RAM = 6,
};

/* Mirrored by _Session in qemu_session.py. Addresses are those of the firmware. */
struct session {
    uint64_t limit; /* instructions for one inference */
    uint32_t code_address;
    uint32_t code_bytes;
    uint32_t ram_address;
    uint32_t ram_bytes;
    uint32_t exchange;
    uint32_t halt;
    uint32_t buffers;
    uint32_t input_bytes;
    uint32_t output_bytes;
    uint32_t inferences;
    uint32_t owners;
    uint32_t state; /* from here on: written by the plugin */
    uint32_t done;
    uint32_t block; /* address of the last block */
};

/* One for each block that QEMU translates. */
struct block {
    uint32_t address;
    uint32_t instructions;
    uint32_t owner;
};

static struct session *session;
static const uint16_t *owners; /* for each halfword of code */
static const uint8_t *inputs;
static uint8_t *outputs;
static uint8_t *ram;
static uint64_t *counts; /* for each inference: instructions of each owner, then entries of each */
static uint64_t *row;    /* the same for the inference that runs */
static uint64_t left;
static uint32_t owner;
static uint32_t next_layer; /* owner of the next call of an interpreter */
static int in_code; /* before: a board's boot ROM */
static int started;

static void finish(enum state state)
{
    session->state = state;
    _exit(0); /* the files are shared mappings: what was written stays */
}

static uint8_t *in_ram(uint32_t address, uint32_t bytes)
{
    const uint32_t offset = address - session->ram_address;
    if (offset >= session->ram_bytes || bytes > session->ram_bytes - offset)
        finish(BUFFERS_OUTSIDE_OF_RAM);
    return ram + offset;
}

static void exchange(void)
{
    uint32_t place[2]; /* input, output: struct edgeflow_buffers */
    memcpy(place, in_ram(session->buffers, sizeof place), sizeof place);
    const size_t words = 2u * (size_t)session->owners;
    if (started) {
        memcpy(outputs + (size_t)session->done * session->output_bytes,
               in_ram(place[1], session->output_bytes), session->output_bytes);
        memcpy(counts + session->done * words, row, words * sizeof *row);
        ++session->done;
    }
    started = 1;
    if (session->done == session->inferences)
        finish(DONE);
    memcpy(in_ram(place[0], session->input_bytes),
           inputs + (size_t)session->done * session->input_bytes, session->input_bytes);
    memset(row, 0, words * sizeof *row);
    left = session->limit;
    next_layer = OWNER_FIRST_LAYER;
}

/* The owner of what runs from a block. A kernel that several layers share: the order of the calls
   says which of them runs. One call too many counts for the last layer, which is then found to have
   been called twice. */
static uint32_t owner_of(const struct block *block)
{
    if (block->owner != OWNER_NEXT_LAYER)
        return block->owner;
    if (owner != OWNER_INVOKE)
        return OWNER_UNCHANGED;
    return next_layer < session->owners - 1 ? next_layer++ : session->owners - 1;
}

static void execute_block(unsigned int cpu, void *data)
{
    const struct block *block = data;
    (void)cpu;
    session->block = block->address;
    if (block->address - session->code_address < session->code_bytes)
        in_code = 1;
    else if (in_code)
        finish(OUTSIDE_OF_CODE);
    const uint32_t next = owner_of(block);
    if (next != OWNER_UNCHANGED) {
        if (next >= OWNER_FIRST_LAYER && owner == OWNER_INVOKE)
            ++row[session->owners + next];
        owner = next;
    }
    if (block->address == session->exchange)
        exchange();
    if (block->address == session->halt)
        finish(HALTED);
    row[owner] += block->instructions;
    if (left < block->instructions)
        finish(OUT_OF_INSTRUCTIONS);
    left -= block->instructions;
}

static void translate_block(plugin_id id, struct qemu_plugin_tb *tb)
{
    struct block *block = malloc(sizeof *block); /* QEMU keeps it for as long as it runs */
    (void)id;
    if (block == NULL)
        _exit(1);
    block->address = (uint32_t)qemu_plugin_tb_vaddr(tb);
    block->instructions = (uint32_t)qemu_plugin_tb_n_insns(tb);
    const uint32_t offset = block->address - session->code_address;
    block->owner = offset < session->code_bytes ? owners[offset / 2] : OWNER_UNCHANGED;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, execute_block, QEMU_PLUGIN_CB_NO_REGS, block);
}

/* QEMU's boards wake a sleeping core at interrupts, and the firmware has none. Before the first
   instruction the core is idle too. */
static void idle(plugin_id id, unsigned int cpu)
{
    (void)id;
    (void)cpu;
    if (session->block != 0)
        finish(ASLEEP);
}

static void *map_file(const char *name)
{
    const int file = open(name, O_RDWR | O_CLOEXEC);
    const off_t bytes = file < 0 ? -1 : lseek(file, 0, SEEK_END);
    void *mapped = MAP_FAILED;
    if (bytes > 0)
        mapped = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file >= 0)
        close(file);
    return mapped == MAP_FAILED ? NULL : mapped;
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    (void)argc;
    (void)argv;
    session = map_file("session");
    owners = map_file("owners");
    inputs = map_file("inputs");
    outputs = map_file("outputs");
    counts = map_file("counts");
    ram = map_file("ram");
    if (!session || !owners || !inputs || !outputs || !counts || !ram)
        return 1;
    row = calloc(2u * (size_t)session->owners, sizeof *row);
    if (row == NULL)
        return 1;
    left = session->limit;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate_block);
    qemu_plugin_register_vcpu_idle_cb(id, idle);
    return 0;
}
