"""A `.tflite` file as tensors and operators, and its bytes.

What a graph's tensors are in a file (integers, floats) is decided before: `tflite_write` and
`tflite_float` say it, this module lays the tables of the schema down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import tflite
from flatbuffers import Builder

from edgeflow.exchange.tflite_options import OptionTable
from edgeflow.graph.ir import Quantization

SCHEMA_VERSION = 3
FILE_IDENTIFIER = b"TFL3"
METADATA_NAME = "edgeflow.graph"
BUFFER_ALIGNMENT_BYTES = 16
# Runtimes before builtin_code existed read an int8 field; larger codes are marked by this one.
PLACEHOLDER_FOR_GREATER_OP_CODES = 127


@dataclass(frozen=True)
class StoredTensor:
    """A tensor of the file: its `tflite.TensorType`, and its bytes if it is a constant."""

    shape: tuple[int, ...]
    type: int
    quantization: Quantization | None = None
    payload: bytes | None = None


@dataclass(frozen=True)
class StoredOperator:
    """An operator of the file: its code, version, names of tensors, and what writes its options."""

    code: int
    version: int
    operands: tuple[str, ...]
    results: tuple[str, ...]
    options: Callable[[Builder], OptionTable] | None = None


@dataclass(frozen=True)
class StoredFile:
    """Tensors in file order, operators in the order of execution; no metadata where it is empty."""

    name: str
    tensors: Mapping[str, StoredTensor]
    operators: tuple[StoredOperator, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    metadata: bytes = b""


def to_bytes(file: StoredFile) -> bytes:
    """The file's bytes; equal files give equal bytes."""
    constants = {n: t.payload for n, t in file.tensors.items() if t.payload is not None}
    payloads = list(constants.values())
    if file.metadata:
        payloads.append(file.metadata)
    buffer_of = {name: index for index, name in enumerate(constants, start=1)}
    codes = sorted({(each.code, each.version) for each in file.operators})

    builder = Builder(sum(map(len, payloads)) + 1024)
    buffers = _write_buffers(builder, payloads)
    subgraphs = _offsets(builder, [_write_subgraph(builder, file, buffer_of, codes)])
    operator_codes = _offsets(builder, [_write_code(builder, *code) for code in codes])
    description = builder.CreateString("edgeflow")
    metadata = _write_metadata(builder, buffer=len(payloads)) if file.metadata else None
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, SCHEMA_VERSION)
    tflite.ModelAddOperatorCodes(builder, operator_codes)
    tflite.ModelAddSubgraphs(builder, subgraphs)
    tflite.ModelAddDescription(builder, description)
    tflite.ModelAddBuffers(builder, buffers)
    if metadata is not None:
        tflite.ModelAddMetadata(builder, metadata)
    builder.Finish(tflite.ModelEnd(builder), file_identifier=FILE_IDENTIFIER)
    return bytes(builder.Output())


def _offsets(builder: Builder, offsets: Iterable[int]) -> int:
    """A vector of offsets to tables."""
    ordered = list(offsets)
    builder.StartVector(4, len(ordered), 4)
    for offset in reversed(ordered):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _integers(builder: Builder, values: Iterable[int]) -> int:
    return int(builder.CreateNumpyVector(np.asarray(list(values), dtype=np.int32)))


def _aligned_bytes(builder: Builder, payload: bytes) -> int:
    """A byte vector at an alignment at which runtimes use constants in place."""
    builder.StartVector(1, len(payload), BUFFER_ALIGNMENT_BYTES)
    builder.head -= len(payload)
    builder.Bytes[builder.head : builder.head + len(payload)] = payload
    return int(builder.EndVector())


def _write_buffers(builder: Builder, payloads: Iterable[bytes]) -> int:
    """All buffers; buffer 0 is empty and stands for "no data"."""
    tflite.BufferStart(builder)
    tables = [tflite.BufferEnd(builder)]
    for payload in payloads:
        data = _aligned_bytes(builder, payload)
        tflite.BufferStart(builder)
        tflite.BufferAddData(builder, data)
        tables.append(tflite.BufferEnd(builder))
    return _offsets(builder, tables)


def _write_code(builder: Builder, code: int, version: int) -> int:
    tflite.OperatorCodeStart(builder)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(
        builder, min(code, PLACEHOLDER_FOR_GREATER_OP_CODES)
    )
    tflite.OperatorCodeAddVersion(builder, version)
    tflite.OperatorCodeAddBuiltinCode(builder, code)
    return int(tflite.OperatorCodeEnd(builder))


def _write_subgraph(
    builder: Builder,
    file: StoredFile,
    buffer_of: Mapping[str, int],
    codes: list[tuple[int, int]],
) -> int:
    index_of = {name: index for index, name in enumerate(file.tensors)}
    tensors = _offsets(
        builder,
        [_write_tensor(builder, n, t, buffer_of.get(n, 0)) for n, t in file.tensors.items()],
    )
    operators = _offsets(
        builder,
        [
            _write_operator(builder, each, index_of, codes.index((each.code, each.version)))
            for each in file.operators
        ],
    )
    inputs = _integers(builder, (index_of[name] for name in file.inputs))
    outputs = _integers(builder, (index_of[name] for name in file.outputs))
    name = builder.CreateString(file.name)
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, tensors)
    tflite.SubGraphAddInputs(builder, inputs)
    tflite.SubGraphAddOutputs(builder, outputs)
    tflite.SubGraphAddOperators(builder, operators)
    tflite.SubGraphAddName(builder, name)
    return int(tflite.SubGraphEnd(builder))


def _write_tensor(builder: Builder, tensor_name: str, tensor: StoredTensor, buffer: int) -> int:
    name = builder.CreateString(tensor_name)
    shape = _integers(builder, tensor.shape)
    quantization = (
        _write_quantization(builder, tensor.quantization) if tensor.quantization else None
    )
    tflite.TensorStart(builder)
    tflite.TensorAddShape(builder, shape)
    tflite.TensorAddType(builder, tensor.type)
    tflite.TensorAddBuffer(builder, buffer)
    tflite.TensorAddName(builder, name)
    if quantization is not None:
        tflite.TensorAddQuantization(builder, quantization)
    return int(tflite.TensorEnd(builder))


def _write_quantization(builder: Builder, quantization: Quantization) -> int:
    scales = builder.CreateNumpyVector(np.asarray(quantization.scales, dtype=np.float32))
    zero_points = builder.CreateNumpyVector(np.asarray(quantization.zero_points, dtype=np.int64))
    tflite.QuantizationParametersStart(builder)
    tflite.QuantizationParametersAddScale(builder, scales)
    tflite.QuantizationParametersAddZeroPoint(builder, zero_points)
    tflite.QuantizationParametersAddQuantizedDimension(builder, quantization.axis or 0)
    return int(tflite.QuantizationParametersEnd(builder))


def _write_operator(
    builder: Builder, operator: StoredOperator, index_of: Mapping[str, int], opcode_index: int
) -> int:
    options = None if operator.options is None else operator.options(builder)
    inputs = _integers(builder, (index_of[name] for name in operator.operands))
    outputs = _integers(builder, (index_of[name] for name in operator.results))
    tflite.OperatorStart(builder)
    tflite.OperatorAddOpcodeIndex(builder, opcode_index)
    tflite.OperatorAddInputs(builder, inputs)
    tflite.OperatorAddOutputs(builder, outputs)
    if options is not None and options.union_type != tflite.BuiltinOptions.NONE:
        tflite.OperatorAddBuiltinOptionsType(builder, options.union_type)
        tflite.OperatorAddBuiltinOptions(builder, options.offset)
    return int(tflite.OperatorEnd(builder))


def _write_metadata(builder: Builder, buffer: int) -> int:
    name = builder.CreateString(METADATA_NAME)
    tflite.MetadataStart(builder)
    tflite.MetadataAddName(builder, name)
    tflite.MetadataAddBuffer(builder, buffer)
    return _offsets(builder, [tflite.MetadataEnd(builder)])
