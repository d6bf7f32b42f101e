/* |sum of a half| <= 16 * 128 * 15 = 30720 */
#define FIELD_BITS 4
#define FIELDS 0x000F000Fu
#define BLOCK_TAPS 16
#include "edgeflow_packed_lanes.h"

int32_t edgeflow_int4_sums(const edgeflow_packed_operands *of, int32_t first, uint32_t *sums)
{
    return packed_sums(of, first, sums);
}
