"""How the MVE kernels find the weights of inner products: as int8, or packed by four outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.c_text import ConstantArray, CType, Expression, Value
from edgeflow.backends.firmware.packing import byte_words, stored_bits, unpacked_bytes
from edgeflow.backends.firmware.rendering import LayerContext
from edgeflow.graph.ir import Graph, Node

VECTOR_BYTES = 16
_OUTPUTS = 4
_NOWHERE = Expression("0")


@dataclass(frozen=True)
class Weights:
    """The array, what the struct says of it where it is packed, and the files that unpack it."""

    array: ConstantArray
    place: Expression
    packed_fields: Mapping[str, Value]
    sources: tuple[str, ...]


def is_packed(graph: Graph, node: Node) -> bool:
    """Whether the layer's weights are int4 or int2."""
    return stored_bits(graph.tensors[node.inputs[1]]) < 8


def unpacking_bytes(graph: Graph, node: Node) -> int:
    """Working memory: four outputs' weights as int8, and what the narrow kernel reads beyond."""
    weights = graph.tensors[node.inputs[1]]
    if not is_packed(graph, node):
        return 0
    taps = int(np.prod(weights.shape[1:]))
    return unpacked_bytes(_OUTPUTS * taps, stored_bits(weights)) + VECTOR_BYTES


def stored(layer: LayerContext, rows: NDArray[np.int8], what: str) -> Weights:
    """Weights [outputs, taps] in the order of the kernel."""
    bits = stored_bits(layer.input(1))
    if bits == 8:
        # The narrow kernel reads whole vectors.
        beyond = max(VECTOR_BYTES - rows.shape[1], 0)
        array = layer.constant("weights", CType.INT8, np.pad(rows.reshape(-1), (0, beyond)), what)
        nothing: dict[str, Value] = {"packed": _NOWHERE, "unpack": _NOWHERE}
        return Weights(array, Expression(array.name), nothing, ())
    groups = [byte_words(rows[at : at + _OUTPUTS], bits) for at in range(0, len(rows), _OUTPUTS)]
    array = layer.constant(
        "weights", CType.UINT32, np.concatenate(groups), f"int{bits} {what}, by four outputs"
    )
    fields: dict[str, Value] = {
        "packed": Expression(array.name),
        "unpack": Expression(f"edgeflow_int{bits}_unpack"),
        "four_words": len(groups[0]),
        "last_words": len(groups[-1]),
    }
    return Weights(array, _NOWHERE, fields, (f"edgeflow_int{bits}_unpack.c",))
