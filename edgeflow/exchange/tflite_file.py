"""A `.tflite` file as plain frozen values, after every structural check.

Nothing of the file is trusted: offsets (`tflite_verify`), indices, sizes, shapes, quantization
parameters, names and the order of operators are checked before anything is converted. Only
ModelError and UnsupportedOperatorError leave this module.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import tflite

from edgeflow.errors import ModelError
from edgeflow.exchange.limits import MAX_CONSTANT_SHARING
from edgeflow.exchange.tflite_store import METADATA_NAME
from edgeflow.exchange.tflite_tensor import (
    RawTensor,
    names_by_value,
    payload_of,
    tensor_of,
    text_of,
    unusable,
)
from edgeflow.exchange.tflite_verify import DAMAGED_HINT, OPTION_TABLES, verify

_OPERATOR_NAMES = names_by_value(tflite.BuiltinOperator)


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
        raise unusable(f"schema version {model.Version()} instead of 3")
    if model.SubgraphsLength() != 1:
        raise unusable(f"{model.SubgraphsLength()} subgraphs instead of 1")
    subgraph = model.Subgraphs(0)
    buffers = [payload_of(model.Buffers(i), i, data) for i in range(model.BuffersLength())]
    tensors = tuple(
        tensor_of(subgraph.Tensors(i), i, buffers) for i in range(subgraph.TensorsLength())
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
    name = text_of(subgraph.Name(), "the subgraph's name") or "main"
    return RawModel(name, tensors, operators, inputs, outputs, _metadata(model, buffers))


def _check_names(tensors: tuple[RawTensor, ...]) -> None:
    seen: dict[str, int] = {}
    for index, tensor in enumerate(tensors):
        if tensor.name in seen:
            raise unusable(
                f"tensors {seen[tensor.name]} and {index} are both named {tensor.name!r}"
            )
        seen[tensor.name] = index


def _check_total(tensors: tuple[RawTensor, ...], file_bytes: int) -> None:
    total = sum(len(t.payload) for t in tensors if t.payload is not None)
    if total > MAX_CONSTANT_SHARING * file_bytes:
        raise unusable(f"constants of {total} bytes in a file of {file_bytes} bytes")


def _operator_kind(code: Any) -> str:
    # As TensorFlow Lite: files from before builtin_code existed have the deprecated field only.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    kind = _OPERATOR_NAMES.get(number, f"operator code {number}")
    if kind == "CUSTOM":
        return f"custom operator {text_of(code.CustomCode(), 'the name of a custom operator')!r}"
    return kind


def _operator(
    operator: Any, index: int, kinds: list[str], tensors: tuple[RawTensor, ...]
) -> RawOperator:
    if operator.OpcodeIndex() >= len(kinds):
        raise unusable(f"operator {index} takes code {operator.OpcodeIndex()} of {len(kinds)}")
    kind = kinds[operator.OpcodeIndex()]
    where = f"operator {index} ({kind})"
    inputs = _indices(operator, "Inputs", len(tensors), f"inputs of {where}", first=-1)
    outputs = _indices(operator, "Outputs", len(tensors), f"outputs of {where}", first=0)
    if not outputs:
        raise unusable(f"{where} has no output")
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
            raise unusable(f"{what}: tensor {index} of {count}")
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
        raise unusable("it lists an output twice")
    if not inputs or not outputs:
        raise unusable(f"it has {len(inputs)} inputs and {len(outputs)} outputs")


def _define(
    indices: Iterable[int], defined: set[int], tensors: tuple[RawTensor, ...], label: str
) -> None:
    for index in indices:
        if index in defined:
            raise unusable(f"{label}: tensor {tensors[index].name!r} already has a value")
        defined.add(index)


def _require(
    indices: Iterable[int], defined: set[int], tensors: tuple[RawTensor, ...], label: str
) -> None:
    for index in indices:
        if index >= 0 and index not in defined:
            raise unusable(f"{label}: tensor {tensors[index].name!r} is read before it is computed")


def _metadata(model: Any, buffers: list[memoryview | None]) -> bytes:
    """The content of our own metadata entry; empty where there is none."""
    for i in range(model.MetadataLength()):
        entry = model.Metadata(i)
        if entry.Name() == METADATA_NAME.encode():
            if entry.Buffer() >= len(buffers):
                raise unusable(f"metadata takes buffer {entry.Buffer()} of {len(buffers)}")
            return bytes(buffers[entry.Buffer()] or b"")
    return b""
