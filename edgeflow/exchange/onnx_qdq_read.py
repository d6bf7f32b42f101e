"""QDQ ONNX models to the integer graph, step by step."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from edgeflow.errors import GraphError, ModelError
from edgeflow.exchange.onnx_flow import flow
from edgeflow.exchange.onnx_fusion import fuse_biases, reads_channels_last
from edgeflow.exchange.onnx_model import RawInput, parse, quantizes
from edgeflow.exchange.onnx_operators import (
    Arithmetic,
    Clamp,
    Concatenate,
    Convolution,
    Dense,
    Dequantizing,
    Flow,
    Operator,
    Padding,
    PassThrough,
    Permutation,
    Pooling,
    Quantizing,
    ReduceMean,
    Reshaping,
    Sigmoid,
    SoftmaxAlong,
    Step,
)
from edgeflow.exchange.onnx_qdq_build import Building, quantizer_type
from edgeflow.exchange.onnx_qdq_layout import reshape, transpose
from edgeflow.exchange.onnx_qdq_operators import (
    average,
    clamp,
    combine,
    join,
    logistic,
    pad,
    pool,
    softmax,
)
from edgeflow.exchange.onnx_qdq_values import (
    NCHW,
    QuantizedConstant,
    Value,
    activation_quantization,
    as_int8,
    linear_parameters,
    refuse,
    unquantized,
)
from edgeflow.exchange.onnx_qdq_weighted import convolve, multiply_matrix
from edgeflow.exchange.onnx_qdq_write import BITS_KEY, DEPTHWISE_KEY, IDENTITY_KEY
from edgeflow.graph.checker import check
from edgeflow.graph.ir import DType, Graph, OpKind, Quantization, Tensor


def read_graph(data: bytes) -> Graph:
    """The checked integer graph of a QDQ model, not yet canonical."""
    model = parse(data)
    if not quantizes(model):
        raise ModelError(
            "the ONNX model is not quantized: it holds no QuantizeLinear",
            hint="pass it as a float model; edgeflow quantizes it",
        )
    graph = _graph(fuse_biases(flow(model)))
    try:
        with np.errstate(all="ignore"):  # scales of a hostile file; the checker judges the results
            check(graph)
    except GraphError as error:
        raise ModelError(f"the ONNX model: {error.message}", hint=error.hint) from None
    return graph


def _graph(model: Flow) -> Graph:
    bits = _metadata(model, BITS_KEY, dict)
    building = Building(
        model,
        model.consumers(),
        {**model.narrow, **{k: v for k, v in bits.items() if isinstance(v, int) and 2 <= v <= 8}},
        _names(model, DEPTHWISE_KEY),
        _names(model, IDENTITY_KEY),
    )
    inputs = tuple(_input(building, value) for value in model.inputs)
    for step in model.steps:
        if step.name not in building.fused:
            _step(building, step)
    outputs = tuple(_output(building, name) for name in model.outputs)
    return Graph(model.name, building.tensors, tuple(building.nodes), inputs, outputs)


_T = TypeVar("_T", dict[str, Any], list[Any])


def _metadata(model: Flow, key: str, kind: type[_T]) -> _T:
    try:
        value = json.loads(model.metadata.get(key, "null"))
    except (ValueError, RecursionError):
        value = None
    if value is not None and not isinstance(value, kind):
        value = None
    return kind() if value is None else value


def _names(model: Flow, key: str) -> frozenset[str]:
    return frozenset(name for name in _metadata(model, key, list) if isinstance(name, str))


def _input(building: Building, source: RawInput) -> str:
    consumers = building.consumers.get(source.name, [])
    quantization: Quantization | None = None
    if source.element_type == "float32":
        quantization = building.quantization_after(source.name)
    else:
        codes: np.dtype[Any] = np.dtype(source.element_type)
        for step in consumers:
            if isinstance(step.operator, Dequantizing):
                quantization = _dequantizer(building, step, codes)
                break
    if quantization is None:
        raise ModelError(
            f"input {source.name!r} of the ONNX model is not quantized before its first operator",
            hint="quantize the input, or pass the float model and let edgeflow quantize it",
        )
    shape, axes = source.shape, tuple(range(len(source.shape)))
    if len(shape) == 4 and not reads_channels_last(building.consumers, source.name):
        shape, axes = (shape[0], shape[2], shape[3], shape[1]), NCHW
    building.tensors[source.name] = Tensor(source.name, shape, DType.INT8, quantization)
    building.values[source.name] = Value(
        source.name,
        shape,
        quantization,
        axes,
        codes=None if source.element_type == "float32" else np.dtype(source.element_type),
    )
    return source.name


def _output(building: Building, name: str) -> str:
    value = building.values.get(name)
    if value is None:
        raise ModelError(f"output {name!r} of the ONNX model is a constant")
    if not value.channels_last and not value.plain:
        raise ModelError(
            f"output {name!r} of the ONNX model has its elements in an order that the integer "
            "graph does not keep",
            hint="end the model in [N, C, H, W], [N, H, W, C] or a dense layer",
        )
    return value.tensor


def _dequantizer(building: Building, step: Step, codes: np.dtype[Any]) -> Quantization:
    constants = building.flow.constants
    zero = constants[step.inputs[2]] if len(step.inputs) > 2 else None
    scales, zeros = linear_parameters(step, constants[step.inputs[1]], zero, codes)
    return activation_quantization(step, scales, zeros)


def _step(building: Building, step: Step) -> None:
    if step.output in building.flow.constants:
        _constant(building, step)
        return
    reader = _READERS.get(type(step.operator))
    if reader is None:
        raise refuse(
            step,
            "stands where nothing can fold it",
            "fold BatchNormalization into the convolution before quantizing (the quantizer's "
            "preprocessing does it)",
        )
    reader(building, step)


def _constant(building: Building, step: Step) -> None:
    """Steps on constants: their values are known; keep the integers where they are of use."""
    constants, operator = building.flow.constants, step.operator
    known = building.constants.get(step.inputs[0])
    match operator:
        case Quantizing():
            building.quantized_from[step.output] = step.inputs[0]
        case Dequantizing(axis):
            codes = constants[step.inputs[0]]
            zero = constants[step.inputs[2]] if len(step.inputs) > 2 else None
            scales, zeros = linear_parameters(step, constants[step.inputs[1]], zero, codes.dtype)
            per_channel = constants[step.inputs[1]].ndim == 1 and codes.ndim > 0
            per_channel = per_channel and codes.shape[axis] == scales.size
            building.constants[step.output] = QuantizedConstant(
                _constant_name(building, step.inputs[0]),
                as_int8(codes),
                scales,
                zeros,
                axis if per_channel else None,
            )
        case Permutation(order) if known is not None:
            building.constants[step.output] = known.permuted(order)
        case PassThrough() if known is not None:
            building.constants[step.output] = known
        case Reshaping(shape) if known is not None and known.axis is None:
            building.constants[step.output] = replace(known, codes=known.codes.reshape(shape))


def _constant_name(building: Building, codes: str) -> str:
    """The stored constant's name, through a QuantizeLinear of float weights."""
    return building.quantized_from.get(codes, codes)


def _quantize(building: Building, step: Step) -> None:
    value, quantization = building.operand(step, 0), building.quantizer(step)
    if value.quantization != quantization or step.name in building.identity_quantize:
        name = building.graph_output_behind(step.output) or step.output
        like = replace(value, tensor=name, quantization=quantization)
        value = building.emit(OpKind.QUANTIZE, (value.tensor,), like, node=step.name)
    building.values[step.output] = replace(value, codes=quantizer_type(building.flow, step))


def _dequantize(building: Building, step: Step) -> None:
    value = building.values.get(step.inputs[0])
    if value is None or value.codes is None:
        raise ModelError(
            f"node {step.name!r} (DequantizeLinear) reads {step.inputs[0]!r}, which no "
            "QuantizeLinear made"
        )
    if _dequantizer(building, step, value.codes) != value.quantization:
        raise refuse(
            step,
            "has another scale or zero point than the QuantizeLinear before it",
            "requantize by DequantizeLinear and QuantizeLinear, each pair with one scale",
        )
    building.values[step.output] = replace(value, codes=None)


def _pass(building: Building, step: Step) -> None:
    if step.inputs[0] not in building.values:
        raise unquantized(step, f"its input {step.inputs[0]!r}")
    building.values[step.output] = building.values[step.inputs[0]]


_READERS: Mapping[type[Operator], Callable[[Building, Step], None]] = {
    Arithmetic: combine,
    Clamp: clamp,
    Concatenate: join,
    Convolution: convolve,
    Dense: multiply_matrix,
    Dequantizing: _dequantize,
    Padding: pad,
    PassThrough: _pass,
    Permutation: transpose,
    Pooling: pool,
    Quantizing: _quantize,
    ReduceMean: average,
    Reshaping: reshape,
    Sigmoid: logistic,
    SoftmaxAlong: softmax,
}
