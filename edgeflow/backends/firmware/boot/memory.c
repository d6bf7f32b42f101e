/* The four functions that a freestanding compiler may call. Built with -fno-builtin, or the compiler
   would turn their loops into calls to themselves. */

#include "string.h"

#include <stdint.h>

typedef uint32_t __attribute__((may_alias)) word;

static int both_aligned(const void *left, const void *right)
{
    return (((uintptr_t)left | (uintptr_t)right) & 3u) == 0;
}

void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    if (both_aligned(out, in))
        for (; count >= 4; count -= 4, out += 4, in += 4)
            *(word *)(void *)out = *(const word *)(const void *)in;
    for (; count > 0; --count)
        *out++ = *in++;
    return to;
}

void *memmove(void *to, const void *from, size_t count)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    if ((uintptr_t)out <= (uintptr_t)in || (uintptr_t)out >= (uintptr_t)in + count) {
        if (both_aligned(out, in))
            for (; count >= 4; count -= 4, out += 4, in += 4)
                *(word *)(void *)out = *(const word *)(const void *)in;
        for (; count > 0; --count)
            *out++ = *in++;
    } else {
        while (count > 0) {
            --count;
            out[count] = in[count];
        }
    }
    return to;
}

void *memset(void *to, int value, size_t count)
{
    uint8_t *out = to;
    const uint8_t byte = (uint8_t)value;
    const uint32_t four = byte * 0x01010101u;
    for (; count > 0 && ((uintptr_t)out & 3u) != 0; --count)
        *out++ = byte;
    for (; count >= 4; count -= 4, out += 4)
        *(word *)(void *)out = four;
    for (; count > 0; --count)
        *out++ = byte;
    return to;
}

int memcmp(const void *left, const void *right, size_t count)
{
    const uint8_t *a = left;
    const uint8_t *b = right;
    for (; count > 0; --count, ++a, ++b)
        if (*a != *b)
            return *a < *b ? -1 : 1;
    return 0;
}
