"""Filters that are packed in flash and unpacked into working memory before their kernel runs.

For depthwise convolutions, which have few weights and read each of them at every pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.c_text import ConstantArray, CType, Expression
from edgeflow.backends.firmware.packing import byte_words, stored_bits, unpacked_bytes
from edgeflow.backends.firmware.rendering import KernelCall, LayerContext
from edgeflow.graph.ir import Graph, Node


@dataclass(frozen=True)
class FilterInMemory:
    """Where a kernel finds its weights as int8, and the calls that put them there before."""

    constant: ConstantArray
    place: Expression
    calls: tuple[KernelCall, ...]


def filter_bytes(graph: Graph, node: Node, count: int) -> int:
    """Working memory for the node's weights, `count` as int8; 0 where flash holds them so."""
    bits = stored_bits(graph.tensors[node.inputs[1]])
    return 0 if bits == 8 else unpacked_bytes(count, bits)


def filter_in_memory(
    layer: LayerContext, values: NDArray[np.int8], what: str, offset_bytes: int
) -> FilterInMemory:
    """Weights in the order of `values`, unpacked `offset_bytes` into the node's working memory."""
    bits = stored_bits(layer.input(1))
    if bits == 8:
        constant = layer.constant("weights", CType.INT8, values, what)
        return FilterInMemory(constant, Expression(constant.name), ())
    words = byte_words(values, bits)
    constant = layer.constant("weights", CType.UINT32, words, f"int{bits} {what}")
    place = layer.scratch(offset_bytes)
    call = KernelCall(
        function=f"edgeflow_int{bits}_unpack",
        header="edgeflow_unpack.h",
        layer_type="edgeflow_unpack_layer",
        layer={"words": len(words)},
        arguments=(Expression(constant.name), place),
        sources=(f"edgeflow_int{bits}_unpack.c",),
    )
    return FilterInMemory(constant, place, (call,))
