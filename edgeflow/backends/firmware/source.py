"""What the code generator hands to the toolchain: C files and where every layer's result lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgeflow.graph.ir import OpKind


@dataclass(frozen=True)
class LayerSymbol:
    """One layer: its C function, and the place of its output in the arena (bytes).

    `symbol` is a function with external linkage that `edgeflow_invoke` calls exactly once.
    """

    symbol: str
    node_name: str
    kind: OpKind
    output_tensor: str
    offset_bytes: int
    size_bytes: int


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
