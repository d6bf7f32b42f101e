"""Other people's `.tflite` files, made by changing one of ours through LiteRT's own schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema


def edited(data: bytes, change: Callable[[Any], None]) -> bytes:
    """The file after `change` was applied to its ModelT."""
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    change(model)
    return packed(model)


def packed(model: Any) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def tensor_named(model: Any, name: str) -> Any:
    return next(t for t in model.subgraphs[0].tensors if t.name == name.encode())


def index_of(model: Any, name: str) -> int:
    return [t.name for t in model.subgraphs[0].tensors].index(name.encode())


def operator_writing(model: Any, name: str) -> Any:
    index = index_of(model, name)
    return next(o for o in model.subgraphs[0].operators if index in list(o.outputs))


def add_buffer(model: Any, data: bytes) -> int:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data, np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def add_tensor(
    model: Any,
    name: str,
    shape: list[int],
    type_code: int,
    quantization: tuple[float, int] | None = None,
    data: bytes = b"",
) -> int:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type = name.encode(), shape, type_code
    tensor.buffer = add_buffer(model, data) if data else 0
    if quantization is not None:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = [quantization[0]]
        tensor.quantization.zeroPoint = [quantization[1]]
    model.subgraphs[0].tensors.append(tensor)
    return len(model.subgraphs[0].tensors) - 1


def add_code(model: Any, builtin: int, custom: str | None = None) -> int:
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), 1
    code.customCode = custom
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def operator(model: Any, builtin: int, inputs: list[int], outputs: list[int]) -> Any:
    """An operator without options, not yet in the subgraph."""
    made = schema.OperatorT()
    made.opcodeIndex = add_code(model, builtin)
    made.inputs, made.outputs = inputs, outputs
    return made


def with_float_boundary(model: Any) -> None:
    """float32 outside: a QUANTIZE first, a DEQUANTIZE last, as converters write it."""
    subgraph = model.subgraphs[0]
    x, y = subgraph.inputs[0], subgraph.outputs[0]
    float_in = add_tensor(model, "float_in", list(subgraph.tensors[x].shape), FLOAT32)
    float_out = add_tensor(model, "float_out", list(subgraph.tensors[y].shape), FLOAT32)
    subgraph.operators.insert(0, operator(model, schema.BuiltinOperator.QUANTIZE, [float_in], [x]))
    subgraph.operators.append(operator(model, schema.BuiltinOperator.DEQUANTIZE, [y], [float_out]))
    subgraph.inputs, subgraph.outputs = [float_in], [float_out]


FLOAT32 = schema.TensorType.FLOAT32
INT32 = schema.TensorType.INT32
UINT8 = schema.TensorType.UINT8
INT8 = schema.TensorType.INT8
INT4 = schema.TensorType.INT4
BuiltinOperator = schema.BuiltinOperator
