#include "edgeflow_rows.h"

/* Words of a tensor: the arena is declared as int8_t. */
typedef int32_t __attribute__((may_alias)) word;

#define WORDS_AT_ONCE 8

static int is_aligned(const int8_t *address)
{
    return ((uintptr_t)address & 3u) == 0;
}

/* All words are loaded before the first is stored, so that compilers take instructions that move
 * several. */
static inline void move_words(word *to, const word *from)
{
    const word a = from[0];
    const word b = from[1];
    const word c = from[2];
    const word d = from[3];
    const word e = from[4];
    const word f = from[5];
    const word g = from[6];
    const word h = from[7];
    to[0] = a;
    to[1] = b;
    to[2] = c;
    to[3] = d;
    to[4] = e;
    to[5] = f;
    to[6] = g;
    to[7] = h;
}

void edgeflow_move_down(int8_t *to, const int8_t *from, int32_t bytes)
{
    const int32_t size = WORDS_AT_ONCE * (int32_t)sizeof(word);
    if (is_aligned(to) && is_aligned(from)) {
        for (; bytes >= size; bytes -= size) {
            move_words((word *)(void *)to, (const word *)(const void *)from);
            from += size;
            to += size;
        }
    }
    for (; bytes > 0; bytes--) {
        *to++ = *from++;
    }
}
