#include "edgeflow_x86.h"

#include <cpuid.h>
#include <string.h>

enum { UNKNOWN, ABSENT, PRESENT };

/* Leaf 7: AVX512F, AVX512DQ, AVX512BW, AVX512VL; AVX512_VNNI. */
#define FEATURES_B (1u << 16 | 1u << 17 | 1u << 30 | 1u << 31)
#define FEATURES_C (1u << 11)
#define OSXSAVE (1u << 27)
#define STATE 0xE6u /* SSE, AVX, and the three parts of AVX-512 */

static int examine(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & OSXSAVE)) {
        return ABSENT;
    }
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & STATE) != STATE || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        return ABSENT;
    }
    const int found = (b & FEATURES_B) == FEATURES_B && (c & FEATURES_C) == FEATURES_C;
    return found ? PRESENT : ABSENT;
}

int edgeflow_x86_has_vnni(void)
{
    static int found = UNKNOWN;
#ifdef EDGEFLOW_WITHOUT_AVX512
    found = ABSENT;
#endif
    if (found == UNKNOWN) {
        found = examine();
    }
    return found == PRESENT;
}

static uint8_t *offset_copy(const int8_t *input, int32_t bytes, uint8_t *copy)
{
    for (int32_t at = 0; at < bytes; at++) {
        copy[at] = (uint8_t)(input[at] ^ -128);
    }
    return copy + bytes;
}

static uint8_t *fill(int32_t bytes, int32_t value, uint8_t *copy)
{
    memset(copy, value, (size_t)bytes);
    return copy + bytes;
}

void edgeflow_x86_copy(const edgeflow_x86_margin *image, const int8_t *input, uint8_t *copy)
{
    const int32_t whole = image->left + image->row_bytes + image->right;
    copy = fill(image->above * whole, image->value, copy);
    for (int32_t row = 0; row < image->rows; row++) {
        copy = fill(image->left, image->value, copy);
        copy = offset_copy(input + row * image->row_bytes, image->row_bytes, copy);
        copy = fill(image->right, image->value, copy);
    }
    fill(image->below * whole, image->value, copy);
}
