/* The layers of the model in the order in which they run; none where layers run row by row. */
#ifndef EDGEFLOW_LAYER_TABLE_H
#define EDGEFLOW_LAYER_TABLE_H

#include <stddef.h>

extern const size_t edgeflow_layer_count;
extern void (*const edgeflow_layer_functions[])(void);

#endif
