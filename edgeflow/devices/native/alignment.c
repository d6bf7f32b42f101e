/* Stops an emulated Armv6-M at the first access that is not aligned to its size.

   The core faults there; the emulator, which models later architectures, does not. */

#include <stdint.h>

/* Mirrored by _Watch in alignment.py. */
struct watch {
    int (*stop)(void *engine);
    uint32_t address;
    uint32_t size_bytes;
    uint32_t seen;
};

void check_alignment(void *engine, int access, uint64_t address, int size, int64_t value,
                     void *user_data)
{
    struct watch *watch = user_data;
    (void)access;
    (void)value;
    if ((address & ((uint32_t)size - 1)) == 0 || watch->seen)
        return;
    watch->seen = 1;
    watch->address = (uint32_t)address;
    watch->size_bytes = (uint32_t)size;
    watch->stop(engine);
}
