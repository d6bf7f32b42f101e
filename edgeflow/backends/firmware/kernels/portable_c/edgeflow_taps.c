#include "edgeflow_taps.h"

edgeflow_taps edgeflow_taps_inside(int32_t start, int32_t dilation, int32_t filter, int32_t size)
{
    edgeflow_taps inside = {0, 0};
    int32_t at = start;
    for (int32_t tap = 0; tap < filter; tap++) {
        if (at < 0) {
            inside.first++;
        } else if (at < size) {
            inside.count++;
        }
        at += dilation;
    }
    return inside;
}
