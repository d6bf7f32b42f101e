/* |sum of a half| <= 64 * 128 * 3 = 24576 */
#define FIELD_BITS 2
#define FIELDS 0x00030003u
#define BLOCK_TAPS 64
#include "edgeflow_packed_lanes.h"

int32_t edgeflow_int2_sums(const edgeflow_packed_operands *of, int32_t first, uint32_t *sums)
{
    return packed_sums(of, first, sums);
}
