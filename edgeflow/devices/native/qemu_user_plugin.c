/* A plugin of QEMU's user mode: counts the instructions of a program between its marks.

   QEMU calls execute_block at the start of every block of instructions that it executes. A mark is a
   system call of a number that no system has; the runner makes one before and after what it counts,
   and each appends the instructions so far, 64 bits, to the file `counts` of the directory in which
   QEMU was started. A system call ends a block, so that nothing behind a mark is counted before it. */

#include <stdint.h>
#include <stdio.h>

/* What is used of QEMU's plugin interface, which has not changed it since version 1. */
typedef uint64_t plugin_id;
struct qemu_plugin_tb;
enum { QEMU_PLUGIN_CB_NO_REGS = 0 };
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
                                           void (*callback)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
                                          void (*callback)(unsigned int, void *), int flags,
                                          void *data);
void qemu_plugin_register_vcpu_syscall_cb(
    plugin_id id,
    void (*callback)(plugin_id, unsigned int, int64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                     uint64_t, uint64_t, uint64_t, uint64_t));

#define EXPORT __attribute__((visibility("default")))

EXPORT int qemu_plugin_version = PLUGIN_API_VERSION;

static uint64_t instructions;
static FILE *counts;

static void execute_block(unsigned int processor, void *size)
{
    (void)processor;
    instructions += (uint64_t)(uintptr_t)size;
}

static void translate_block(plugin_id id, struct qemu_plugin_tb *tb)
{
    (void)id;
    void *size = (void *)(uintptr_t)qemu_plugin_tb_n_insns(tb);
    qemu_plugin_register_vcpu_tb_exec_cb(tb, execute_block, QEMU_PLUGIN_CB_NO_REGS, size);
}

static void system_call(plugin_id id, unsigned int processor, int64_t number, uint64_t a1,
                        uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6,
                        uint64_t a7, uint64_t a8)
{
    (void)id, (void)processor, (void)a1, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6;
    (void)a7, (void)a8;
    if (number == MARK) {
        fwrite(&instructions, sizeof instructions, 1, counts);
        fflush(counts);
    }
}

struct qemu_info;

EXPORT int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int count,
                               char **arguments)
{
    (void)info, (void)count, (void)arguments;
    counts = fopen("counts", "wb");
    if (counts == NULL) {
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate_block);
    qemu_plugin_register_vcpu_syscall_cb(id, system_call);
    return 0;
}
