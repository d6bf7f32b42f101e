/* Packed weights back to int8, for kernels that read each of them many times. */
#ifndef EDGEFLOW_UNPACK_H
#define EDGEFLOW_UNPACK_H

#include <stdint.h>

/* Working memory: the arena is declared as int8_t. */
typedef uint32_t __attribute__((may_alias)) edgeflow_packed_word;

typedef struct {
    int32_t words; /* packed */
} edgeflow_unpack_layer;

/* Fields hold w + 8 (int4) or w + 2 (int2). A word makes two (four) words of four neighbouring
 * weights: those in the lowest fields of its bytes, then those in the next ones. Memory is
 * little-endian; `weights` is aligned to words and has 8 (16) bytes for each packed word. */
void edgeflow_int4_unpack(const edgeflow_unpack_layer *layer, const uint32_t *packed,
                          int8_t *weights);
void edgeflow_int2_unpack(const edgeflow_unpack_layer *layer, const uint32_t *packed,
                          int8_t *weights);

/* Takes `zeros`, the stored zero in each byte, off four fields; bit 7 keeps the bytes apart. */
static inline uint32_t edgeflow_unpacked_bytes(uint32_t fields, uint32_t zeros)
{
    return ((fields | 0x80808080u) - zeros) ^ 0x80808080u;
}

#endif
