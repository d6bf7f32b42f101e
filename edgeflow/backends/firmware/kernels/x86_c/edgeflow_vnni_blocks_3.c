/* Blocks of 3 vectors. */
#include "edgeflow_vnni_block.h"

EDGEFLOW_VNNI_BLOCK(1, 3)
EDGEFLOW_VNNI_BLOCK(2, 3)
EDGEFLOW_VNNI_BLOCK(4, 3)
EDGEFLOW_VNNI_BLOCK(8, 3)
