"""Integer graph to `.tflite` bytes.

Weights of 4, 3 and 2 bits are written as INT4, those of 5 to 7 bits as INT8. A width that is not
that of the type goes into a metadata entry that runtimes ignore: the schema has no narrower types.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import tflite
from flatbuffers import Builder

from edgeflow.exchange.narrow_weights import packed
from edgeflow.exchange.tflite_options import builtin_code, operator_version, write_options
from edgeflow.exchange.tflite_plan import INT4_BITS, FilePlan, PlannedOperator, plan_file
from edgeflow.graph.ir import DType, Graph, Quantization, Tensor

SCHEMA_VERSION = 3
FILE_IDENTIFIER = b"TFL3"
METADATA_NAME = "edgeflow.graph"
BUFFER_ALIGNMENT_BYTES = 16
# Runtimes before builtin_code existed read an int8 field; larger codes are marked by this one.
PLACEHOLDER_FOR_GREATER_OP_CODES = 127

_TENSOR_TYPES: Mapping[DType, int] = {
    DType.INT8: tflite.TensorType.INT8,
    DType.INT32: tflite.TensorType.INT32,
}


def write_graph(graph: Graph) -> bytes:
    """The graph as a `.tflite` file; equal graphs give equal bytes.

    Raises GraphError where TensorFlow Lite has no equal (see `tflite_plan`).
    """
    plan = plan_file(graph)
    constants = [tensor for tensor in plan.tensors.values() if tensor.is_constant]
    payloads = [
        _int4(tensor) if tensor.name in plan.int4 else _little_endian(tensor)
        for tensor in constants
    ]
    if plan.metadata:
        payloads.append(plan.metadata)
    buffer_of = {tensor.name: index for index, tensor in enumerate(constants, start=1)}
    codes = sorted({_code(plan, operator) for operator in plan.operators})

    builder = Builder(sum(map(len, payloads)) + 1024)
    buffers = _write_buffers(builder, payloads)
    subgraphs = _offsets(builder, [_write_subgraph(builder, plan, buffer_of, codes)])
    operator_codes = _offsets(builder, [_write_code(builder, *code) for code in codes])
    description = builder.CreateString("edgeflow")
    metadata = _write_metadata(builder, buffer=len(payloads)) if plan.metadata else None
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


def _code(plan: FilePlan, operator: PlannedOperator) -> tuple[int, int]:
    version = operator_version(plan.tensors, plan.int4, operator.node)
    return builtin_code(operator.node.kind), version


def _little_endian(tensor: Tensor) -> bytes:
    assert tensor.data is not None
    return tensor.data.astype(tensor.data.dtype.newbyteorder("<")).tobytes()


def _int4(tensor: Tensor) -> bytes:
    assert tensor.data is not None
    return packed(tensor.data.astype(np.int8), INT4_BITS)


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
    plan: FilePlan,
    buffer_of: Mapping[str, int],
    codes: list[tuple[int, int]],
) -> int:
    index_of = {name: index for index, name in enumerate(plan.tensors)}
    tensors = _offsets(
        builder,
        [_write_tensor(builder, plan, t, buffer_of.get(t.name, 0)) for t in plan.tensors.values()],
    )
    operators = _offsets(
        builder,
        [
            _write_operator(builder, plan, operator, index_of, codes.index(_code(plan, operator)))
            for operator in plan.operators
        ],
    )
    inputs = _integers(builder, (index_of[name] for name in plan.inputs))
    outputs = _integers(builder, (index_of[name] for name in plan.outputs))
    name = builder.CreateString(plan.graph_name)
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, tensors)
    tflite.SubGraphAddInputs(builder, inputs)
    tflite.SubGraphAddOutputs(builder, outputs)
    tflite.SubGraphAddOperators(builder, operators)
    tflite.SubGraphAddName(builder, name)
    return int(tflite.SubGraphEnd(builder))


def _write_tensor(builder: Builder, plan: FilePlan, tensor: Tensor, buffer: int) -> int:
    name = builder.CreateString(tensor.name)
    shape = _integers(builder, tensor.shape)
    quantization = (
        _write_quantization(builder, tensor.quantization) if tensor.quantization else None
    )
    tflite.TensorStart(builder)
    tflite.TensorAddShape(builder, shape)
    tflite.TensorAddType(
        builder,
        tflite.TensorType.INT4 if tensor.name in plan.int4 else _TENSOR_TYPES[tensor.dtype],
    )
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
    builder: Builder,
    plan: FilePlan,
    operator: PlannedOperator,
    index_of: Mapping[str, int],
    opcode_index: int,
) -> int:
    options = write_options(builder, plan.tensors, operator.node, operator.scheme)
    inputs = _integers(builder, (index_of[name] for name in operator.operands))
    outputs = _integers(builder, (index_of[name] for name in operator.node.outputs))
    tflite.OperatorStart(builder)
    tflite.OperatorAddOpcodeIndex(builder, opcode_index)
    tflite.OperatorAddInputs(builder, inputs)
    tflite.OperatorAddOutputs(builder, outputs)
    if options.union_type != tflite.BuiltinOptions.NONE:
        tflite.OperatorAddBuiltinOptionsType(builder, options.union_type)
        tflite.OperatorAddBuiltinOptions(builder, options.offset)
    return int(tflite.OperatorEnd(builder))


def _write_metadata(builder: Builder, buffer: int) -> int:
    name = builder.CreateString(METADATA_NAME)
    tflite.MetadataStart(builder)
    tflite.MetadataAddName(builder, name)
    tflite.MetadataAddBuffer(builder, buffer)
    return _offsets(builder, [tflite.MetadataEnd(builder)])
