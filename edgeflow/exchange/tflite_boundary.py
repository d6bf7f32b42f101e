"""Operators of a `.tflite` file that disappear: conversions at the boundary, shape arithmetic.

A model that takes float32 (or uint8) and quantizes it first, or dequantizes last, becomes the int8
network between: the graph's inputs and outputs are then the int8 tensors. Operators that compute
nothing but the shape operand of a RESHAPE are dropped, because the shapes stand in the tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edgeflow.errors import UnsupportedOperatorError
from edgeflow.exchange.tflite_file import RawModel, RawOperator

_OUTSIDE_TYPES = ("FLOAT32", "UINT8")
_SHAPE_ARITHMETIC = ("SHAPE", "STRIDED_SLICE", "PACK")

Readers = Mapping[int, list[tuple[RawOperator, int]]]
"""Who reads a tensor: the operator, and the position of the operand."""


def strip_boundary(model: RawModel) -> RawModel:
    """The int8 network inside; unchanged where inputs and outputs are int8 already.

    Raises UnsupportedOperatorError for a float32 or uint8 input that anything but one QUANTIZE
    reads.
    """
    readers = _readers(model)
    quantizers = {index: _quantizer(model, index, readers) for index in model.inputs}
    inputs = tuple(o.outputs[0] if o else index for index, o in quantizers.items())
    writers = {index: operator for operator in model.operators for index in operator.outputs}
    outputs = tuple(_inner_output(model, index, writers.get(index)) for index in model.outputs)
    dropped = {o.index for o in quantizers.values() if o} | {
        writers[old].index
        for old, new in zip(model.outputs, outputs, strict=True)
        if old != new and old not in readers
    }
    kept = tuple(o for o in model.operators if o.index not in dropped)
    return replace(model, inputs=inputs, outputs=outputs, operators=kept)


def _quantizer(model: RawModel, index: int, readers: Readers) -> RawOperator | None:
    """The QUANTIZE behind a float32 or uint8 input; None for an int8 input."""
    tensor = model.tensors[index]
    if tensor.type_name not in _OUTSIDE_TYPES:
        return None
    found = [operator for operator, _ in readers.get(index, ())]
    if [operator.kind for operator in found] == ["QUANTIZE"]:
        (quantizer,) = found
        if [model.tensors[i].type_name for i in quantizer.outputs] == ["INT8"]:
            return quantizer
    labels = ", ".join(operator.label for operator in found[:3]) or "nothing"
    raise UnsupportedOperatorError(
        f"input {tensor.name!r} of type {tensor.type_name} is read by {labels}; supported: int8 "
        "inputs, or one QUANTIZE to int8 right behind the input",
        hint="quantize the whole model to int8 (full integer quantization) and export it again",
    )


def _inner_output(model: RawModel, index: int, writer: RawOperator | None) -> int:
    """The int8 tensor behind a DEQUANTIZE to float32 or a QUANTIZE to uint8."""
    if model.tensors[index].type_name not in _OUTSIDE_TYPES or writer is None:
        return index
    if writer.kind not in ("DEQUANTIZE", "QUANTIZE") or len(writer.inputs) != 1:
        return index
    source = writer.inputs[0]
    return source if source >= 0 and model.tensors[source].type_name == "INT8" else index


def drop_shape_arithmetic(model: RawModel) -> RawModel:
    """Drop SHAPE, STRIDED_SLICE and PACK that lead to nothing but shape operands of RESHAPE."""
    readers = _readers(model)
    outputs = set(model.outputs)
    dropped: set[int] = set()

    def leads_to_shapes(index: int) -> bool:
        return index not in outputs and all(
            reader.index in dropped or (reader.kind == "RESHAPE" and position == 1)
            for reader, position in readers.get(index, ())
        )

    for operator in reversed(model.operators):
        if operator.kind in _SHAPE_ARITHMETIC and all(map(leads_to_shapes, operator.outputs)):
            dropped.add(operator.index)
    kept = tuple(o for o in model.operators if o.index not in dropped)
    return replace(model, operators=kept)


def _readers(model: RawModel) -> Readers:
    readers: dict[int, list[tuple[RawOperator, int]]] = {}
    for operator in model.operators:
        for position, index in enumerate(operator.inputs):
            readers.setdefault(index, []).append((operator, position))
    return readers
