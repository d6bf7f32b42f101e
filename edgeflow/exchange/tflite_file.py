"""A `.tflite` file as plain frozen values, after every structural check.

Nothing of the file is trusted: offsets (`tflite_verify`), indices, sizes, shapes, quantization
parameters, names and the order of operators are checked before anything is converted. Only
ModelError and UnsupportedOperatorError leave this module.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import tflite

from edgeflow.errors import ModelError, UnsupportedOperatorError
from edgeflow.exchange.limits import MAX_CONSTANT_SHARING, MAX_RANK, MAX_TENSOR_ELEMENTS
from edgeflow.exchange.tflite_verify import DAMAGED_HINT, OPTION_TABLES, verify
from edgeflow.exchange.tflite_write import METADATA_NAME
from edgeflow.graph.ir import Quantization


def _names(enumeration: type) -> dict[int, str]:
    return {v: k for k, v in vars(enumeration).items() if isinstance(v, int)}


TYPE_NAMES = _names(tflite.TensorType)
OPERATOR_NAMES = _names(tflite.BuiltinOperator)
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


@dataclass(frozen=True, eq=False)
class RawOperator:
    """One operator; tensors by index, -1 for an operand that is left out."""

    index: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any
    label: str


@dataclass(frozen=True, eq=False)
class RawModel:
    """Every index is in range, names are unique, every operator follows what it reads."""

    name: str
    tensors: tuple[RawTensor, ...]
    operators: tuple[RawOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    metadata: bytes


def parse(data: bytes) -> RawModel:
    """Decode and check the bytes of a `.tflite` file.

    Raises ModelError for anything damaged, hostile or oversized, UnsupportedOperatorError for
    sparse tensors.
    """
    verify(data)
    try:
        return _model(data)
    except (struct.error, LookupError, TypeError, ValueError, OverflowError, MemoryError) as error:
        raise ModelError(f"the .tflite file is damaged: {error}", hint=DAMAGED_HINT) from error


def _model(data: bytes) -> RawModel:
    model = tflite.Model.GetRootAs(data)
    if model.Version() != 3:
        raise _damaged(f"schema version {model.Version()} instead of 3")
    if model.SubgraphsLength() != 1:
        raise _damaged(f"{model.SubgraphsLength()} subgraphs instead of 1")
    subgraph = model.Subgraphs(0)
    buffers = [_payload(model.Buffers(i), i, data) for i in range(model.BuffersLength())]
    tensors = tuple(
        _tensor(subgraph.Tensors(i), i, buffers) for i in range(subgraph.TensorsLength())
    )
    _check_names(tensors)
    _check_total(tensors, len(data))
    kinds = [_operator_kind(model.OperatorCodes(i)) for i in range(model.OperatorCodesLength())]
    operators = tuple(
        _operator(subgraph.Operators(i), i, kinds, tensors)
        for i in range(subgraph.OperatorsLength())
    )
    inputs = _indices(subgraph, "Inputs", len(tensors), "graph inputs", first=0)
    outputs = _indices(subgraph, "Outputs", len(tensors), "graph outputs", first=0)
    _check_order(tensors, operators, inputs, outputs)
    name = _text(subgraph.Name(), "the subgraph's name") or "main"
    return RawModel(name, tensors, operators, inputs, outputs, _metadata(model, buffers))


def _damaged(what: str) -> ModelError:
    return ModelError(f"the .tflite file cannot be used: {what}", hint=DAMAGED_HINT)


def _text(value: bytes | None, what: str) -> str:
    try:
        text = (value or b"").decode()
    except UnicodeDecodeError as error:
        raise _damaged(f"{what} is not UTF-8 ({error.reason})") from None
    if not text.isprintable():
        raise _damaged(f"{what} holds control characters: {text[:80]!r}")
    return text


def _payload(buffer: Any, index: int, data: bytes) -> memoryview | None:
    if buffer.Offset() > 1 or buffer.Size() > 1:
        raise _damaged(f"buffer {index} lies outside the FlatBuffers part of the file")
    length = buffer.DataLength()
    if not length:
        return None
    start = buffer._tab.Vector(buffer._tab.Offset(4))
    return memoryview(data)[start : start + length]


def _tensor(tensor: Any, index: int, buffers: list[memoryview | None]) -> RawTensor:
    name = _text(tensor.Name(), f"the name of tensor {index}") or f"tensor_{index}"
    label = f"tensor {index} ({name!r})"
    type_name = TYPE_NAMES.get(tensor.Type(), f"type {tensor.Type()}")
    if not 0 <= tensor.Buffer() < max(len(buffers), 1):
        raise _damaged(f"{label} takes buffer {tensor.Buffer()} of {len(buffers)}")
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
        raise _damaged(f"{label} has {rank} dimensions, more than the {MAX_RANK} allowed")
    shape = [int(tensor.Shape(i)) for i in range(rank)]
    if shape and shape[0] == -1:
        shape[0] = 1  # a batch left open; the graph's batch is 1
    if any(size < 1 for size in shape):
        raise _damaged(f"{label} has shape {shape}; every size must be known and at least 1")
    if math.prod(shape) > MAX_TENSOR_ELEMENTS:
        raise _damaged(f"{label} of shape {shape} has more than {MAX_TENSOR_ELEMENTS} elements")
    return tuple(shape)


def _check_size(label: str, shape: tuple[int, ...], type_name: str, size_bytes: int) -> None:
    if type_name not in _BITS:
        return  # refused with the operator that reads it
    wanted_bytes = -(-math.prod(shape) * _BITS[type_name] // 8)
    if size_bytes != wanted_bytes:
        raise _damaged(
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
        raise _damaged(f"{label} has {count} scales along axis {axis} of shape {list(shape)}")
    if parameters.ZeroPointLength() not in (0, count):
        raise _damaged(f"{label}: {count} scales, {parameters.ZeroPointLength()} zero points")
    scales = tuple(float(s) for s in parameters.ScaleAsNumpy())
    for scale in scales:
        if not (math.isfinite(scale) and scale > 0):
            raise _damaged(f"{label} has scale {scale}; scales are finite and above 0")
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
            raise _damaged(
                f"{label} of type {type_name} has zero point {zero_point}, outside {low} to {high}"
            )


def _check_names(tensors: tuple[RawTensor, ...]) -> None:
    seen: dict[str, int] = {}
    for index, tensor in enumerate(tensors):
        if tensor.name in seen:
            raise _damaged(
                f"tensors {seen[tensor.name]} and {index} are both named {tensor.name!r}"
            )
        seen[tensor.name] = index


def _check_total(tensors: tuple[RawTensor, ...], file_bytes: int) -> None:
    total = sum(len(t.payload) for t in tensors if t.payload is not None)
    if total > MAX_CONSTANT_SHARING * file_bytes:
        raise _damaged(f"constants of {total} bytes in a file of {file_bytes} bytes")


def _operator_kind(code: Any) -> str:
    # As TensorFlow Lite: files from before builtin_code existed have the deprecated field only.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    kind = OPERATOR_NAMES.get(number, f"operator code {number}")
    if kind == "CUSTOM":
        return f"custom operator {_text(code.CustomCode(), 'the name of a custom operator')!r}"
    return kind


def _operator(
    operator: Any, index: int, kinds: list[str], tensors: tuple[RawTensor, ...]
) -> RawOperator:
    if operator.OpcodeIndex() >= len(kinds):
        raise _damaged(f"operator {index} takes code {operator.OpcodeIndex()} of {len(kinds)}")
    kind = kinds[operator.OpcodeIndex()]
    where = f"operator {index} ({kind})"
    inputs = _indices(operator, "Inputs", len(tensors), f"inputs of {where}", first=-1)
    outputs = _indices(operator, "Outputs", len(tensors), f"outputs of {where}", first=0)
    if not outputs:
        raise _damaged(f"{where} has no output")
    label = f"operator {index}, {kind} {tensors[outputs[0]].name!r}"
    return RawOperator(index, kind, inputs, outputs, _options(operator), label)


def _options(operator: Any) -> Any:
    """The generated reader of the operator's option table; None where there is none of ours."""
    union = operator.BuiltinOptions()
    table = OPTION_TABLES.get(operator.BuiltinOptionsType())
    if union is None or table is None:
        return None
    options = getattr(tflite, table.name)()
    options.Init(union.Bytes, union.Pos)
    return options


def _indices(owner: Any, name: str, count: int, what: str, first: int) -> tuple[int, ...]:
    length = getattr(owner, f"{name}Length")()
    item = getattr(owner, name)
    indices = tuple(int(item(i)) for i in range(length))
    for index in indices:
        if not first <= index < count:
            raise _damaged(f"{what}: tensor {index} of {count}")
    return indices


def _check_order(
    tensors: tuple[RawTensor, ...],
    operators: tuple[RawOperator, ...],
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
) -> None:
    """Every tensor has one source, and comes before its use (so there is no cycle)."""
    defined = {i for i, tensor in enumerate(tensors) if tensor.payload is not None}
    _define(inputs, defined, tensors, "the graph's inputs")
    for operator in operators:
        _require(operator.inputs, defined, tensors, operator.label)
        _define(operator.outputs, defined, tensors, operator.label)
    _require(outputs, defined, tensors, "the graph's outputs")
    if len(set(outputs)) != len(outputs):
        raise _damaged("it lists an output twice")
    if not inputs or not outputs:
        raise _damaged(f"it has {len(inputs)} inputs and {len(outputs)} outputs")


def _define(
    indices: Iterable[int], defined: set[int], tensors: tuple[RawTensor, ...], label: str
) -> None:
    for index in indices:
        if index in defined:
            raise _damaged(f"{label}: tensor {tensors[index].name!r} already has a value")
        defined.add(index)


def _require(
    indices: Iterable[int], defined: set[int], tensors: tuple[RawTensor, ...], label: str
) -> None:
    for index in indices:
        if index >= 0 and index not in defined:
            raise _damaged(f"{label}: tensor {tensors[index].name!r} is read before it is computed")


def _metadata(model: Any, buffers: list[memoryview | None]) -> bytes:
    """The content of our own metadata entry; empty where there is none."""
    for i in range(model.MetadataLength()):
        entry = model.Metadata(i)
        if entry.Name() == METADATA_NAME.encode():
            if entry.Buffer() >= len(buffers):
                raise _damaged(f"metadata takes buffer {entry.Buffer()} of {len(buffers)}")
            return bytes(buffers[entry.Buffer()] or b"")
    return b""
