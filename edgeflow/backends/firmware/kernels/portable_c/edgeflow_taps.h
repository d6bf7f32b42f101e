/* Which taps of a filter lie on the input, along one dimension. */
#ifndef EDGEFLOW_TAPS_H
#define EDGEFLOW_TAPS_H

#include <stdint.h>

/* Taps `first` to `first` + `count` - 1. */
typedef struct {
    int32_t first;
    int32_t count;
} edgeflow_taps;

/* Tap i lies at start + i * dilation, the input at 0 to size - 1. */
edgeflow_taps edgeflow_taps_inside(int32_t start, int32_t dilation, int32_t filter, int32_t size);

#endif
