"""An ONNX file as plain frozen values, after every structural check.

Nothing of the file is trusted: sizes, shapes, types and names are checked before anything is
converted, external data, functions, subgraphs and custom operator domains are refused, and only
ModelError or UnsupportedOperatorError leave this module.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from edgeflow.errors import ModelError, UnsupportedOperatorError
from edgeflow.exchange.limits import (
    MAX_MODEL_BYTES,
    MAX_NODES,
    MAX_RANK,
    MAX_TENSOR_ELEMENTS,
    MAX_TENSORS,
)
from edgeflow.exchange.narrow_weights import packed_size, unpacked

Array = NDArray[Any]
AttributeValue = int | float | str | tuple[int, ...] | tuple[float, ...] | Array

MIN_OPSET = 7
MAX_OPSET = 25

_DEFAULT_DOMAINS = ("", "ai.onnx")
_T = onnx.TensorProto
_A = onnx.AttributeProto

# data_type: numpy type, the repeated field used when raw_data is empty
_TYPES: Mapping[int, tuple[np.dtype[Any], str]] = {
    _T.FLOAT: (np.dtype("<f4"), "float_data"),
    _T.DOUBLE: (np.dtype("<f8"), "double_data"),
    _T.FLOAT16: (np.dtype("<f2"), "int32_data"),
    _T.INT8: (np.dtype("i1"), "int32_data"),
    _T.UINT8: (np.dtype("u1"), "int32_data"),
    _T.INT16: (np.dtype("<i2"), "int32_data"),
    _T.UINT16: (np.dtype("<u2"), "int32_data"),
    _T.BOOL: (np.dtype("?"), "int32_data"),
    _T.INT32: (np.dtype("<i4"), "int32_data"),
    _T.INT64: (np.dtype("<i8"), "int64_data"),
}
# Several to a byte, also in int32_data, whose entries are bytes then.
NARROW_BITS: Mapping[int, int] = {_T.INT4: 4, _T.INT2: 2}


@dataclass(frozen=True, eq=False)
class RawNode:
    """One node as it stands in the file; `name` is never empty and is unique."""

    name: str
    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, AttributeValue]


@dataclass(frozen=True)
class RawInput:
    """A graph input; `element_type` is one of float32, int8, uint8; the batch is 1."""

    name: str
    shape: tuple[int, ...]
    element_type: str


@dataclass(frozen=True, eq=False)
class RawModel:
    """A model whose nodes are in order, whose names are defined once and before their use.

    `narrow` has the bits of the constants that the file holds as int4 or int2.
    """

    name: str
    opset: int
    nodes: tuple[RawNode, ...]
    constants: Mapping[str, Array]
    narrow: Mapping[str, int]
    inputs: tuple[RawInput, ...]
    outputs: tuple[str, ...]
    metadata: Mapping[str, str]


def parse(data: bytes) -> RawModel:
    """Decode and check the bytes of an ONNX file.

    Raises ModelError for anything damaged, hostile or oversized, UnsupportedOperatorError for
    operators of other domains and for control flow.
    """
    if len(data) > MAX_MODEL_BYTES:
        raise ModelError(
            f"the ONNX file has {len(data)} bytes, more than the {MAX_MODEL_BYTES} allowed",
            hint="edgeflow deploys to microcontrollers; pass a smaller model",
        )
    try:
        model = onnx.ModelProto.FromString(data)
        return _model(model)
    except DecodeError as error:
        raise ModelError(
            f"not an ONNX file: {error}", hint="the file may be truncated or of another format"
        ) from None
    except UnicodeDecodeError as error:
        raise ModelError(
            f"not an ONNX file: a name in it is not text ({error.reason})",
            hint="the file may be damaged",
        ) from None


def quantizes(model: RawModel) -> bool:
    """Whether the model is of the QDQ kind: any QuantizeLinear or DequantizeLinear in it."""
    return any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in model.nodes)


def _model(model: onnx.ModelProto) -> RawModel:
    if not model.HasField("graph") or not model.graph.node:
        raise ModelError("the ONNX file holds no graph", hint="the file may be truncated")
    if model.functions:
        raise ModelError(
            "the ONNX file defines functions, which edgeflow does not read",
            hint="inline them first (onnx.inliner.inline_local_functions)",
        )
    graph = model.graph
    if graph.sparse_initializer:
        raise ModelError("the ONNX file has sparse initializers", hint="export them as dense")
    if len(graph.node) > MAX_NODES or len(graph.initializer) > MAX_TENSORS:
        raise ModelError(
            f"the ONNX graph has {len(graph.node)} nodes and {len(graph.initializer)} constants; "
            f"at most {MAX_NODES} and {MAX_TENSORS} are read"
        )
    _check_text(model)
    opset = _opset(model)
    constants: dict[str, Array] = {}
    narrow: dict[str, int] = {}
    for tensor in graph.initializer:
        if not tensor.name or tensor.name in constants:
            raise ModelError(f"constant {tensor.name!r} has no name of its own in the ONNX graph")
        constants[tensor.name] = _array(tensor, tensor.name)
        if tensor.data_type in NARROW_BITS:
            narrow[tensor.name] = NARROW_BITS[tensor.data_type]
    inputs = tuple(_input(value) for value in graph.input if value.name not in constants)
    if not inputs:
        raise ModelError("the ONNX graph has no input")
    nodes = _nodes(graph)
    _check_names(nodes, constants, inputs)
    outputs = tuple(value.name for value in graph.output)
    known = {i.name for i in inputs} | {o for node in nodes for o in node.outputs} | set(constants)
    if not outputs or len(set(outputs)) != len(outputs) or not known.issuperset(outputs):
        raise ModelError(f"the outputs {list(outputs)} of the ONNX graph are not computed by it")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    return RawModel(graph.name, opset, nodes, constants, narrow, inputs, outputs, metadata)


def _check_text(model: onnx.ModelProto) -> None:
    """Names must be text: protobuf hands over the bytes of a string that is no UTF-8."""
    graph = model.graph
    texts: list[object] = [graph.name]
    for value in (*graph.initializer, *graph.input, *graph.output):
        texts.append(value.name)
    for entry in model.metadata_props:
        texts += [entry.key, entry.value]
    for node in graph.node:
        texts += [node.name, node.op_type, node.domain, *node.input, *node.output]
        texts += [attribute.name for attribute in node.attribute]
    for text in texts:
        if not isinstance(text, str):
            raise ModelError(
                f"the ONNX file holds the name {text!r}, which is not text",
                hint="the file may be damaged",
            )


def _opset(model: onnx.ModelProto) -> int:
    versions = [entry.version for entry in model.opset_import if entry.domain in _DEFAULT_DOMAINS]
    if len(versions) != 1 or not MIN_OPSET <= versions[0] <= MAX_OPSET:
        raise ModelError(
            f"the ONNX file declares opset {versions}; edgeflow reads {MIN_OPSET} to {MAX_OPSET}",
            hint="export the model with opset 17",
        )
    return int(versions[0])


def _nodes(graph: onnx.GraphProto) -> tuple[RawNode, ...]:
    names: set[str] = set()
    nodes = []
    for index, node in enumerate(graph.node):
        name = node.name or f"{node.op_type}_{index}"
        while name in names:
            name = f"{name}_{index}"
        names.add(name)
        if node.domain not in _DEFAULT_DOMAINS:
            raise UnsupportedOperatorError(
                f"node {name!r}: operator {node.op_type!r} of domain {node.domain!r}; "
                "only the standard ONNX operators are read",
                hint="export without vendor operators; quantize with QDQ nodes, not QOperator",
            )
        attributes: dict[str, AttributeValue] = {}
        for attribute in node.attribute:
            if attribute.name in attributes:
                raise ModelError(f"node {name!r} has attribute {attribute.name!r} twice")
            attributes[attribute.name] = _attribute(attribute, name, node.op_type)
        nodes.append(RawNode(name, node.op_type, tuple(node.input), tuple(node.output), attributes))
    return tuple(nodes)


def _check_names(
    nodes: tuple[RawNode, ...], constants: Mapping[str, Array], inputs: tuple[RawInput, ...]
) -> None:
    defined = set(constants)
    for value in inputs:
        if not value.name or value.name in defined:
            raise ModelError(f"input {value.name!r} has no name of its own in the ONNX graph")
        defined.add(value.name)
    for node in nodes:
        for name in node.inputs:
            if name and name not in defined:
                raise ModelError(
                    f"node {node.name!r} reads tensor {name!r} before anything computes it"
                )
        for name in node.outputs:
            if name and name in defined:
                raise ModelError(f"node {node.name!r} computes tensor {name!r} a second time")
            defined.add(name)
        if not node.outputs or not node.outputs[0]:
            raise ModelError(f"node {node.name!r} has no output")


def _input(value: onnx.ValueInfoProto) -> RawInput:
    tensor = value.type.tensor_type
    kinds: Mapping[int, str] = {_T.FLOAT: "float32", _T.INT8: "int8", _T.UINT8: "uint8"}
    if not value.type.HasField("tensor_type") or tensor.elem_type not in kinds:
        raise ModelError(
            f"input {value.name!r} of the ONNX graph is not a float32, int8 or uint8 tensor"
        )
    dims = tensor.shape.dim
    if not 1 <= len(dims) <= MAX_RANK:
        raise ModelError(
            f"input {value.name!r} of the ONNX graph has {len(dims)} dimensions",
            hint="export the model with a fixed input shape",
        )
    shape = [int(dim.dim_value) if dim.HasField("dim_value") else 0 for dim in dims]
    if shape[0] <= 0:
        shape[0] = 1  # a symbolic batch
    if shape[0] != 1 or min(shape) <= 0:
        raise ModelError(
            f"input {value.name!r} of the ONNX graph has shape {_shape_text(dims)}; "
            "the batch must be 1 or symbolic and every other dimension fixed",
            hint="export the model with a fixed input shape",
        )
    check_elements(tuple(shape), f"input {value.name!r}")
    return RawInput(value.name, tuple(shape), kinds[tensor.elem_type])


def _shape_text(dims: Any) -> str:
    return "[" + ", ".join(str(d.dim_param or d.dim_value) for d in dims) + "]"


def check_elements(shape: tuple[int, ...], where: str) -> None:
    """Raise ModelError when a tensor of this shape would exceed the cap."""
    if len(shape) > MAX_RANK or math.prod(shape) > MAX_TENSOR_ELEMENTS:
        raise ModelError(
            f"{where}: shape {list(shape)} exceeds {MAX_TENSOR_ELEMENTS} elements "
            f"or {MAX_RANK} dimensions"
        )


def _attribute(attribute: onnx.AttributeProto, node: str, op_type: str) -> AttributeValue:
    match attribute.type:
        case _A.INT:
            return int(attribute.i)
        case _A.FLOAT:
            return float(attribute.f)
        case _A.STRING:
            return attribute.s.decode("utf-8")
        case _A.INTS:
            return tuple(int(v) for v in attribute.ints)
        case _A.FLOATS:
            return tuple(float(v) for v in attribute.floats)
        case _A.TENSOR:
            return _array(attribute.t, f"attribute {attribute.name!r} of node {node!r}")
        case _A.GRAPH | _A.GRAPHS:
            raise UnsupportedOperatorError(
                f"node {node!r}: operator {op_type!r} holds a subgraph (control flow)",
                hint="export a model whose graph does not depend on its data",
            )
    raise ModelError(
        f"node {node!r}: attribute {attribute.name!r} has a type that edgeflow does not read"
    )


def _array(tensor: onnx.TensorProto, where: str) -> Array:
    """The values of a tensor, read-only; sizes are checked before anything is converted."""
    if tensor.data_location == _T.EXTERNAL or tensor.external_data:
        raise ModelError(
            f"constant {where!r} keeps its values in another file, which edgeflow does not open",
            hint="save the model with its weights inside (onnx.save without external data)",
        )
    known = tensor.data_type in _TYPES or tensor.data_type in NARROW_BITS
    if tensor.HasField("segment") or not known:
        raise ModelError(
            f"constant {where!r} has element type {_type_name(tensor.data_type)}; read are "
            + ", ".join(sorted(["int4", "int2", *(str(dtype) for dtype, _ in _TYPES.values())]))
        )
    shape = tuple(int(d) for d in tensor.dims)
    if any(d < 0 for d in shape):
        raise ModelError(f"constant {where!r} has the negative shape {list(shape)}")
    check_elements(shape, f"constant {where!r}")
    if tensor.data_type in NARROW_BITS:
        return _narrow_array(tensor, shape, where)
    dtype, field = _TYPES[tensor.data_type]
    count = math.prod(shape)
    if tensor.HasField("raw_data"):
        if len(tensor.raw_data) != count * dtype.itemsize:
            raise ModelError(
                f"constant {where!r} of shape {list(shape)} needs {count * dtype.itemsize} bytes "
                f"and has {len(tensor.raw_data)}"
            )
        array = np.frombuffer(tensor.raw_data, dtype=dtype).reshape(shape)
    else:
        array = _typed_values(getattr(tensor, field), dtype, shape, where)
    if dtype.kind == "f":
        if not np.all(np.isfinite(array)):
            raise ModelError(f"constant {where!r} holds values that are not finite")
        with np.errstate(over="ignore"):
            array = array.astype(np.float32)
        if not np.all(np.isfinite(array)):
            raise ModelError(f"constant {where!r} holds values beyond float32")
    array.setflags(write=False)
    return array


def _narrow_array(tensor: onnx.TensorProto, shape: tuple[int, ...], where: str) -> Array:
    """int4 and int2 as int8."""
    bits = NARROW_BITS[tensor.data_type]
    if tensor.HasField("raw_data"):
        payload = bytes(tensor.raw_data)
    else:
        in_range = all(-128 <= byte <= 255 for byte in tensor.int32_data)
        if not in_range:
            raise ModelError(f"constant {where!r} holds values outside a byte of int{bits}")
        payload = bytes(byte & 0xFF for byte in tensor.int32_data)
    wanted = packed_size(math.prod(shape), bits)
    if len(payload) != wanted:
        raise ModelError(
            f"constant {where!r} of shape {list(shape)} needs {wanted} bytes and has {len(payload)}"
        )
    array = unpacked(payload, bits, shape)
    array.setflags(write=False)
    return array


def _typed_values(values: Any, dtype: np.dtype[Any], shape: tuple[int, ...], where: str) -> Array:
    if len(values) != math.prod(shape):
        raise ModelError(
            f"constant {where!r} of shape {list(shape)} needs {math.prod(shape)} values "
            f"and has {len(values)}"
        )
    if dtype == np.dtype("<f2"):  # stored as the bits of each half
        wide = np.array(values, dtype=np.int64)
        if wide.size and (wide.min() < 0 or wide.max() > 0xFFFF):
            raise ModelError(f"constant {where!r} holds values outside float16")
        return wide.astype("<u2").view("<f2").reshape(shape)
    wide = np.array(values, dtype=np.int64 if dtype.kind in "iub" else dtype)
    array = wide.astype(dtype)
    if dtype.kind in "iub" and not np.array_equal(array.astype(np.int64), wide):
        raise ModelError(f"constant {where!r} holds values outside {dtype}")
    return array.reshape(shape)


def _type_name(data_type: int) -> str:
    values = _T.DataType.DESCRIPTOR.values_by_number
    return values[data_type].name if data_type in values else str(data_type)
