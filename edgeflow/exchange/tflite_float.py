"""The integer graph as float `.tflite`: the same network without its quantization.

float32, or weights of float16 that a DEQUANTIZE widens: what LiteRT's converter writes, and what
its delegates know. Answers differ from the integer graph's by quantization alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum

import numpy as np
import tflite

from edgeflow.exchange.narrow_weights import plain_weights
from edgeflow.exchange.tflite_plan import FilePlan, plan_file
from edgeflow.exchange.tflite_store import StoredFile, StoredOperator, StoredTensor, to_bytes
from edgeflow.exchange.tflite_write import integer_type, little_endian, stored_operator
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.ir import Graph, OpKind, Tensor
from edgeflow.graph.reals import reals

_DEQUANTIZE_OF_FLOAT16 = 3  # the operator's version
_WIDENED = "/float32"


class FloatWeights(StrEnum):
    """The type of the file's weights."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"


def write(graph: Graph, weights: FloatWeights = FloatWeights.FLOAT32) -> bytes:
    """The graph as a float `.tflite` file; equal graphs give equal bytes.

    Raises GraphError where TensorFlow Lite has no equal (see `tflite_plan`).
    """
    graph = _with_plain_bits(canonicalize(graph))
    plan = plan_file(graph)
    same = _requantized(plan)

    def current(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(same.get(name, name) for name in names)

    operators = [
        replace(stored, operands=current(stored.operands))
        for stored in (
            stored_operator(plan, each)
            for each in plan.operators
            if each.node.kind is not OpKind.QUANTIZE
        )
    ]
    kept = {name: t for name, t in plan.tensors.items() if name not in same}
    tensors = {name: _float32(tensor) for name, tensor in kept.items()}
    if weights is FloatWeights.FLOAT16:
        tensors, operators = _with_float16(plain_weights(graph), tensors, operators)
    return to_bytes(
        StoredFile(plan.graph_name, tensors, tuple(operators), plan.inputs, current(plan.outputs))
    )


def _with_plain_bits(graph: Graph) -> Graph:
    """Without narrow weights, which have an integer type of their own."""
    tensors = {n: replace(t, bits=8) if t.bits < 8 else t for n, t in graph.tensors.items()}
    return replace(graph, tensors=tensors)


def _requantized(plan: FilePlan) -> Mapping[str, str]:
    """Results of QUANTIZE by the tensor that holds the same reals."""
    same: dict[str, str] = {}
    for each in plan.operators:
        if each.node.kind is OpKind.QUANTIZE:
            (source,), (result,) = each.node.inputs, each.node.outputs
            same[result] = same.get(source, source)
    return same


def _float32(tensor: Tensor) -> StoredTensor:
    """Its reals; integers without a scale (axes, shapes, paddings) stay what they are."""
    if tensor.quantization is None:
        payload = little_endian(tensor) if tensor.is_constant else None
        return StoredTensor(tensor.shape, integer_type(tensor.dtype), None, payload)
    payload = reals(tensor).astype("<f4").tobytes() if tensor.is_constant else None
    return StoredTensor(tensor.shape, tflite.TensorType.FLOAT32, None, payload)


def _with_float16(
    weights: frozenset[str], tensors: Mapping[str, StoredTensor], operators: list[StoredOperator]
) -> tuple[dict[str, StoredTensor], list[StoredOperator]]:
    """The same with `weights` as float16, each widened by an operator before all others."""
    stored: dict[str, StoredTensor] = {}
    widening = []
    for name, tensor in tensors.items():
        if name not in weights or tensor.payload is None:
            stored[name] = tensor
            continue
        halves = np.frombuffer(tensor.payload, "<f4").astype("<f2")
        stored[name] = replace(tensor, type=tflite.TensorType.FLOAT16, payload=halves.tobytes())
        stored[name + _WIDENED] = replace(tensor, payload=None)
        code, version = tflite.BuiltinOperator.DEQUANTIZE, _DEQUANTIZE_OF_FLOAT16
        widening.append(StoredOperator(code, version, (name,), (name + _WIDENED,)))
    widened = {each.operands[0]: each.results[0] for each in widening}
    reading = [
        replace(each, operands=tuple(widened.get(name, name) for name in each.operands))
        for each in operators
    ]
    return stored, [*widening, *reading]
