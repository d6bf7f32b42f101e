"""What the code generator hands to the toolchain: C files and where every layer's result lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgeflow.graph.ir import OpKind

INVOKE_SYMBOL = "edgeflow_invoke"


@dataclass(frozen=True)
class LayerSymbol:
    """One layer: its C function, and the place of its output in the arena (bytes).

    `symbol` is a function with external linkage that `caller` calls `calls` times: once, or for
    each band of rows. Where `caller` is not `edgeflow_invoke` but the loop of an interpreter,
    layers share its kernels: `symbol` is a name alone, and the order of the calls tells the layers
    apart. An output that never exists as a whole has the place of the buffer of its rows, and its
    size.
    """

    symbol: str
    node_name: str
    kind: OpKind
    output_tensor: str
    offset_bytes: int
    size_bytes: int
    caller: str = INVOKE_SYMBOL
    calls: int = 1


@dataclass(frozen=True)
class SourceTree:
    """Generated C: relative POSIX path to text; `.c` files are compiled, `.h` files included.

    `.S` files are assembled for a target; on a host their `.c` twins do the same.

    Layers are in the order in which they run. `weight_bytes` is the constant data in flash.

    The C defines this API (`edgeflow_model.h`):
    `int8_t *edgeflow_input(void)`, `const int8_t *edgeflow_output(void)`,
    `void edgeflow_invoke(void)`.
    """

    files: Mapping[str, str]
    layers: tuple[LayerSymbol, ...]
    arena_bytes: int
    weight_bytes: int
    input_bytes: int
    output_bytes: int
