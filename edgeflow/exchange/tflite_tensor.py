"""A tensor of a `.tflite` file as a plain frozen value, after every check of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import tflite

from edgeflow.errors import ModelError, UnsupportedOperatorError
from edgeflow.exchange.limits import MAX_RANK, MAX_TENSOR_ELEMENTS
from edgeflow.exchange.tflite_verify import DAMAGED_HINT
from edgeflow.graph.ir import Quantization


def names_by_value(enumeration: type) -> dict[int, str]:
    """An enumeration of the schema, value to name."""
    return {v: k for k, v in vars(enumeration).items() if isinstance(v, int)}


TYPE_NAMES = names_by_value(tflite.TensorType)
_BITS = {"INT4": 4, "INT8": 8, "UINT8": 8, "BOOL": 8, "INT16": 16, "FLOAT16": 16, "INT32": 32}
_BITS |= {"FLOAT32": 32, "UINT32": 32, "INT64": 64, "FLOAT64": 64}
_ZERO_POINTS = {"INT4": (-8, 7), "INT8": (-128, 127), "UINT8": (0, 255), "INT32": (0, 0)}


@dataclass(frozen=True, eq=False)
class RawTensor:
    """One tensor; `payload` is set exactly when it is a constant, and has the shape's size."""

    name: str
    shape: tuple[int, ...]
    type_name: str
    quantization: Quantization | None
    payload: memoryview | None


def unusable(what: str) -> ModelError:
    """The error for a file that is readable and makes no sense."""
    return ModelError(f"the .tflite file cannot be used: {what}", hint=DAMAGED_HINT)


def text_of(value: bytes | None, what: str) -> str:
    """A printable string of the file; empty where it is absent."""
    try:
        text = (value or b"").decode()
    except UnicodeDecodeError as error:
        raise unusable(f"{what} is not UTF-8 ({error.reason})") from None
    if not text.isprintable():
        raise unusable(f"{what} holds control characters: {text[:80]!r}")
    return text


def payload_of(buffer: Any, index: int, data: bytes) -> memoryview | None:
    """The buffer's bytes, not copied; None where it is empty."""
    if buffer.Offset() > 1 or buffer.Size() > 1:
        raise unusable(f"buffer {index} lies outside the FlatBuffers part of the file")
    length = buffer.DataLength()
    if not length:
        return None
    start = buffer._tab.Vector(buffer._tab.Offset(4))
    return memoryview(data)[start : start + length]


def tensor_of(tensor: Any, index: int, buffers: list[memoryview | None]) -> RawTensor:
    """The checked value of one tensor table."""
    name = text_of(tensor.Name(), f"the name of tensor {index}") or f"tensor_{index}"
    label = f"tensor {index} ({name!r})"
    type_name = TYPE_NAMES.get(tensor.Type(), f"type {tensor.Type()}")
    if not 0 <= tensor.Buffer() < max(len(buffers), 1):
        raise unusable(f"{label} takes buffer {tensor.Buffer()} of {len(buffers)}")
    if tensor.Sparsity() is not None:
        raise UnsupportedOperatorError(
            f"{label} is stored sparse", hint="export the model with dense weights"
        )
    if tensor.IsVariable():
        raise UnsupportedOperatorError(
            f"{label} is a variable that keeps its value between runs",
            hint="only networks without state are supported",
        )
    shape = _shape(tensor, label)
    payload = buffers[tensor.Buffer()] if tensor.Buffer() else None
    if payload is not None:
        _check_size(label, shape, type_name, len(payload))
    quantization = _quantization(tensor.Quantization(), shape, type_name, label)
    return RawTensor(name, shape, type_name, quantization, payload)


def _shape(tensor: Any, label: str) -> tuple[int, ...]:
    rank = tensor.ShapeLength()
    if rank > MAX_RANK:
        raise unusable(f"{label} has {rank} dimensions, more than the {MAX_RANK} allowed")
    shape = [int(tensor.Shape(i)) for i in range(rank)]
    if shape and shape[0] == -1:
        shape[0] = 1  # a batch left open; the graph's batch is 1
    if any(size < 1 for size in shape):
        raise unusable(f"{label} has shape {shape}; every size must be known and at least 1")
    if math.prod(shape) > MAX_TENSOR_ELEMENTS:
        raise unusable(f"{label} of shape {shape} has more than {MAX_TENSOR_ELEMENTS} elements")
    return tuple(shape)


def _check_size(label: str, shape: tuple[int, ...], type_name: str, size_bytes: int) -> None:
    if type_name not in _BITS:
        return  # refused with the operator that reads it
    wanted_bytes = -(-math.prod(shape) * _BITS[type_name] // 8)
    if size_bytes != wanted_bytes:
        raise unusable(
            f"{label} of shape {list(shape)} and type {type_name} needs {wanted_bytes} bytes, "
            f"its buffer has {size_bytes}"
        )


def _quantization(
    parameters: Any, shape: tuple[int, ...], type_name: str, label: str
) -> Quantization | None:
    if parameters is None or not parameters.ScaleLength() or type_name not in _ZERO_POINTS:
        return None
    if parameters.DetailsType():
        raise UnsupportedOperatorError(
            f"{label} has custom quantization", hint="only scales and zero points are supported"
        )
    count = parameters.ScaleLength()
    axis = parameters.QuantizedDimension()
    if count > 1 and not (0 <= axis < len(shape) and shape[axis] == count):
        raise unusable(f"{label} has {count} scales along axis {axis} of shape {list(shape)}")
    if parameters.ZeroPointLength() not in (0, count):
        raise unusable(f"{label}: {count} scales, {parameters.ZeroPointLength()} zero points")
    scales = tuple(float(s) for s in parameters.ScaleAsNumpy())
    for scale in scales:
        if not (math.isfinite(scale) and scale > 0):
            raise unusable(f"{label} has scale {scale}; scales are finite and above 0")
    zero_points = (
        tuple(int(z) for z in parameters.ZeroPointAsNumpy())
        if parameters.ZeroPointLength()
        else (0,) * count
    )
    _check_zero_points(zero_points, type_name, label)
    return Quantization(scales, zero_points, axis if count > 1 else None)


def _check_zero_points(zero_points: tuple[int, ...], type_name: str, label: str) -> None:
    low, high = _ZERO_POINTS[type_name]
    for zero_point in zero_points:
        if not low <= zero_point <= high:
            raise unusable(
                f"{label} of type {type_name} has zero point {zero_point}, outside {low} to {high}"
            )
