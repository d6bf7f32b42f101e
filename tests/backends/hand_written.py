"""Small models in hand-written C with the API that generated code has."""

from collections.abc import Mapping

from edgeflow.backends.firmware.source import LayerSymbol, SourceTree
from edgeflow.graph.ir import OpKind

INPUT_BYTES = 16
OUTPUT_BYTES = 16

HEADER = f"""
#include <stdint.h>
#define EDGEFLOW_INPUT_BYTES {INPUT_BYTES}
#define EDGEFLOW_OUTPUT_BYTES {OUTPUT_BYTES}
int8_t *edgeflow_input(void);
const int8_t *edgeflow_output(void);
void edgeflow_invoke(void);
"""

_BUFFERS = """
#include "edgeflow_model.h"
int8_t in[16], out[16];
int8_t *edgeflow_input(void) { return in; }
const int8_t *edgeflow_output(void) { return out; }
"""

# A little of everything that makes counting hard: loops, calls of shared functions from several
# layers, 64-bit arithmetic of the runtime library, conditional instructions, a tail call,
# recursion, and straight code longer than the emulator's blocks and pages.
MIXED_CODE = """
#include <string.h>
static const int32_t weights[4] = {1, -2, 3, 40000};
static int32_t accumulators[16];
__attribute__((noinline)) int32_t scale(int32_t x, int32_t multiplier)
{
    int64_t product = (int64_t)x * multiplier + (1 << 12);
    return (int32_t)(product >> 13);
}
__attribute__((noinline)) int32_t depth(int32_t n)
{
    volatile int32_t kept = n;
    return n <= 0 ? 0 : depth(n - 1) + kept;
}
__attribute__((noinline)) void layer_multiply(void)
{
    for (int i = 0; i < 16; ++i)
        accumulators[i] = scale(in[i] * weights[i & 3], 123456);
}
__attribute__((noinline)) void layer_divide(void)
{
    for (int i = 0; i < 16; ++i)
        if (in[i] != 0)
            accumulators[i] = (int32_t)(((int64_t)accumulators[i] << 9) / in[i]) + in[i] % 7;
}
__attribute__((noinline)) void layer_straight(void)
{
#ifdef __arm__
    __asm__ volatile(".rept 3001\\n nop\\n .endr\\n .rept 1000\\n bl 1f\\n 1:\\n .endr" ::: "lr");
#endif
#ifdef __riscv
    __asm__ volatile(".rept 3001\\n nop\\n .endr\\n .rept 1000\\n jal 1f\\n 1:\\n .endr" ::: "ra");
#endif
    accumulators[depth(in[0] & 15) & 15] += 1;
}
__attribute__((noinline)) void layer_clamp(void)
{
    for (int i = 0; i < 16; ++i) {
        int32_t x = scale(accumulators[i], 3 + i);
        x = x < -128 ? -128 : x;
        x = x > 127 ? 127 : x;
        if ((x ^ in[i]) & 1)
            x ^= 2;
#if defined(__arm__) && __ARM_ARCH >= 7
        __asm__ volatile("cmp %0, #0\\n ittee ge\\n addge r0, r0, #0\\n addge.w r0, r0, #0\\n"
                         " addlt.w r0, r0, #0\\n addlt r0, r0, #0" ::"r"(x) : "r0", "cc");
#endif
        in[i] = (int8_t)x;
    }
    memmove(in + 1, in, 15);
    memcpy(out, in, 16);
}
void edgeflow_invoke(void)
{
    memset(accumulators, 0, sizeof accumulators);
    layer_multiply();
    layer_divide();
    layer_straight();
    layer_clamp();
}
"""


def source_tree(
    code: str, layers: tuple[str, ...] = (), files: Mapping[str, str] | None = None
) -> SourceTree:
    """A source tree whose model is `code`, which fills `out` from `in` in `edgeflow_invoke`."""
    return SourceTree(
        files={
            "edgeflow_model.h": HEADER,
            "edgeflow_model.c": _BUFFERS + code,
            **(files or {}),
        },
        layers=tuple(
            LayerSymbol(name, f"node of {name}", OpKind.CONV_2D, f"output of {name}", 0, 16)
            for name in layers
        ),
        arena_bytes=32,
        weight_bytes=16,
        input_bytes=INPUT_BYTES,
        output_bytes=OUTPUT_BYTES,
    )


def invoke_only(body: str, before: str = "") -> SourceTree:
    """A model of which only the body of `edgeflow_invoke` matters."""
    return source_tree(f"{before}\nvoid edgeflow_invoke(void) {{ {body} }}\n")


def mixed_model() -> SourceTree:
    """The model of `MIXED_CODE` with its four layers."""
    layers = ("layer_multiply", "layer_divide", "layer_straight", "layer_clamp")
    return source_tree(MIXED_CODE, layers)
