#include "edgeflow_rows.h"

/* Words of a tensor: the arena is declared as int8_t. */
typedef int32_t __attribute__((may_alias)) word;

static int is_aligned(const int8_t *address)
{
    return ((uintptr_t)address & 3u) == 0;
}

void edgeflow_move_down(int8_t *to, const int8_t *from, int32_t bytes)
{
    if (is_aligned(to) && is_aligned(from)) {
        for (; bytes >= 16; bytes -= 16) {
            const word *source = (const word *)(const void *)from;
            word *target = (word *)(void *)to;
            const word a = source[0];
            const word b = source[1];
            const word c = source[2];
            const word d = source[3];
            target[0] = a;
            target[1] = b;
            target[2] = c;
            target[3] = d;
            from += 16;
            to += 16;
        }
    }
    for (; bytes > 0; bytes--) {
        *to++ = *from++;
    }
}
