"""The operators that a `.tflite` file may hold, each with the function that makes nodes of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tflite

from edgeflow.errors import ModelError, UnsupportedOperatorError
from edgeflow.exchange.limits import MAX_CONCATENATION_INPUTS
from edgeflow.exchange.tflite_attributes import (
    DAMAGED_HINT,
    activation_of,
    axis_of,
    image_of,
    options_of,
    window_of,
)
from edgeflow.exchange.tflite_file import RawOperator
from edgeflow.exchange.tflite_scope import Scope, read_int8, read_int32
from edgeflow.graph.ir import (
    Activation,
    Concatenation,
    Conv2D,
    DType,
    Elementwise,
    FullyConnected,
    Mean,
    NoAttributes,
    OpKind,
    Pad,
    Pool2D,
    Quantization,
    Softmax,
    Tensor,
)

_BIAS_AXIS = 0


def _bias_quantization(x: Tensor, weights: Tensor) -> Quantization:
    """A bias's parameters: scale of the input x scale of the weights, in float32; zero point 0."""
    assert x.quantization is not None
    assert weights.quantization is not None
    scale = np.float32(x.quantization.scales[0])
    scales = tuple(float(scale * np.float32(w)) for w in weights.quantization.scales)
    axis = None if weights.quantization.axis is None else _BIAS_AXIS
    return Quantization(scales, (0,) * len(scales), axis)


def _bias(scope: Scope, operator: RawOperator, x: Tensor, weights: Tensor, count: int) -> Tensor:
    """The bias; zeros where the file has none, and its scale derived where the file gives none."""
    raw = scope.operand(operator, 2)
    quantization = _bias_quantization(x, weights)
    if raw is None:
        name = f"{scope.model.tensors[operator.outputs[0]].name}/bias"
        zeros = np.zeros(count, dtype=np.int32)
        return scope.new(Tensor(name, (count,), DType.INT32, quantization, zeros))
    if raw.type_name != "INT32" or raw.payload is None:
        what = raw.type_name if raw.payload is not None else "no constant"
        raise UnsupportedOperatorError(
            f"{operator.label}: bias {raw.name!r} is {what}; supported: constant INT32",
            hint="quantize the whole model to int8 (full integer quantization)",
        )
    if math.prod(raw.shape) != count:
        raise ModelError(
            f"{operator.label}: bias {raw.name!r} of shape {list(raw.shape)} for {count} channels",
            hint=DAMAGED_HINT,
        )
    values = read_int32(raw).reshape(count)
    return scope.keep(
        Tensor(raw.name, (count,), DType.INT32, raw.quantization or quantization, values)
    )


def _image_weights(scope: Scope, operator: RawOperator, per_position: int) -> Tensor:
    weights = scope.weights(operator, 1)
    if len(weights.shape) != 4 or (per_position and weights.shape[0] != per_position):
        raise ModelError(
            f"{operator.label}: weights {weights.name!r} of shape {list(weights.shape)}",
            hint=DAMAGED_HINT,
        )
    return weights


def _conv(scope: Scope, operator: RawOperator) -> None:
    scope.operand_count(operator, 2, 3)
    options = options_of(operator, tflite.Conv2DOptions)
    x = scope.int8(operator, 0)
    weights = _image_weights(scope, operator, 0)
    image = image_of(operator, x)
    parts, rest = divmod(x.shape[3], max(weights.shape[3], 1))
    if rest or not parts or weights.shape[0] % parts:
        raise UnsupportedOperatorError(
            f"{operator.label}: weights for {weights.shape[3]} input channels, the input has "
            f"{x.shape[3]}, and {weights.shape[0]} filters; supported: equal groups of channels",
            hint="make the groups divide the input channels and the filters",
        )
    _convolution(scope, operator, OpKind.CONV_2D, x, weights, weights.shape[0], image, options)


def _depthwise(scope: Scope, operator: RawOperator) -> None:
    scope.operand_count(operator, 2, 3)
    options = options_of(operator, tflite.DepthwiseConv2DOptions)
    x = scope.int8(operator, 0)
    weights = _image_weights(scope, operator, 1)
    image = image_of(operator, x)
    channels = weights.shape[3]
    if channels % x.shape[3]:
        raise ModelError(
            f"{operator.label}: {channels} output channels are no multiple of {x.shape[3]}",
            hint=DAMAGED_HINT,
        )
    kind = OpKind.DEPTHWISE_CONV_2D
    _convolution(scope, operator, kind, x, weights, channels, image, options)


def _convolution(
    scope: Scope,
    operator: RawOperator,
    kind: OpKind,
    x: Tensor,
    weights: Tensor,
    channels: int,
    image_hw: tuple[int, int],
    options: Any,
) -> None:
    kernel_hw = (weights.shape[1], weights.shape[2])
    dilation_hw = (options.DilationHFactor(), options.DilationWFactor())
    window = window_of(operator, options, image_hw, kernel_hw, dilation_hw)
    bias = _bias(scope, operator, x, weights, channels)
    attributes = Conv2D(window, activation_of(operator, options))
    scope.node(kind, (x, weights, bias), scope.output(operator), attributes)


def _dense(scope: Scope, operator: RawOperator) -> None:
    scope.operand_count(operator, 2, 3)
    options = options_of(operator, tflite.FullyConnectedOptions)
    if options.WeightsFormat():
        raise UnsupportedOperatorError(
            f"{operator.label}: weights in format {options.WeightsFormat()}; supported: DEFAULT",
            hint="export the model without shuffled weights",
        )
    x, weights = scope.int8(operator, 0), scope.weights(operator, 1)
    output = scope.output(operator)
    if len(weights.shape) != 2:
        raise ModelError(
            f"{operator.label}: weights {weights.name!r} of shape {list(weights.shape)}",
            hint=DAMAGED_HINT,
        )
    outputs, inputs = weights.shape
    if math.prod(x.shape) != inputs or math.prod(output.shape) != outputs:
        raise UnsupportedOperatorError(
            f"{operator.label}: input {list(x.shape)}, weights {list(weights.shape)}, output "
            f"{list(output.shape)}; supported: one vector of {inputs} to one of {outputs}",
            hint="export the model with a batch of 1",
        )
    bias = _bias(scope, operator, x, weights, outputs)
    x = scope.reshaped(x, (1, inputs), f"{output.name}/input")
    attributes = FullyConnected(activation_of(operator, options))
    if output.shape == (1, outputs):
        scope.node(OpKind.FULLY_CONNECTED, (x, weights, bias), output, attributes)
        return
    flat = scope.new(Tensor(f"{output.name}/flat", (1, outputs), DType.INT8, output.quantization))
    scope.node(OpKind.FULLY_CONNECTED, (x, weights, bias), flat, attributes)
    scope.node(OpKind.RESHAPE, (flat,), output, NoAttributes())


def _elementwise(kind: OpKind, options_type: type) -> Callable[[Scope, RawOperator], None]:
    def convert(scope: Scope, operator: RawOperator) -> None:
        scope.operand_count(operator, 2, 2)
        activation = activation_of(operator, options_of(operator, options_type))
        inputs = (scope.int8(operator, 0), scope.int8(operator, 1))
        scope.node(kind, inputs, scope.output(operator), Elementwise(activation))

    return convert


def _pool(kind: OpKind) -> Callable[[Scope, RawOperator], None]:
    def convert(scope: Scope, operator: RawOperator) -> None:
        scope.operand_count(operator, 1, 1)
        options = options_of(operator, tflite.Pool2DOptions)
        x = scope.int8(operator, 0)
        kernel_hw = (options.FilterHeight(), options.FilterWidth())
        window = window_of(operator, options, image_of(operator, x), kernel_hw, (1, 1))
        attributes = Pool2D(*kernel_hw, window, activation_of(operator, options))
        scope.node(kind, (x,), scope.output(operator), attributes)

    return convert


def _mean(scope: Scope, operator: RawOperator) -> None:
    scope.operand_count(operator, 2, 2)
    options = options_of(operator, tflite.ReducerOptions)
    x = scope.int8(operator, 0)
    values = scope.integers(operator, 1).reshape(-1)
    axes = sorted({axis_of(operator, int(value), len(x.shape)) for value in values})
    attributes = Mean(tuple(axes), bool(options.KeepDims()))
    scope.node(OpKind.MEAN, (x,), scope.output(operator), attributes)


def _pad(scope: Scope, operator: RawOperator) -> None:
    x = scope.int8(operator, 0)
    pads = scope.integers(operator, 1)
    if pads.shape != (len(x.shape), 2) or pads.min() < 0:
        raise ModelError(
            f"{operator.label}: paddings of shape {list(pads.shape)}, least {pads.min()}, for an "
            f"input of shape {list(x.shape)}",
            hint=DAMAGED_HINT,
        )
    attributes = Pad(tuple((int(before), int(after)) for before, after in pads))
    scope.node(OpKind.PAD, (x,), scope.output(operator), attributes)


def _plain_pad(scope: Scope, operator: RawOperator) -> None:
    scope.operand_count(operator, 2, 2)
    _pad(scope, operator)


def _pad_with_value(scope: Scope, operator: RawOperator) -> None:
    """PADV2, which is PAD where its value is the input's zero point in the input's scale."""
    scope.operand_count(operator, 3, 3)
    x, raw = scope.int8(operator, 0), scope.required(operator, 2)
    constant = raw.type_name == "INT8" and raw.payload is not None
    values = read_int8(raw).reshape(-1).tolist() if constant else []
    assert x.quantization is not None
    if values != [x.quantization.zero_points[0]] or raw.quantization != x.quantization:
        raise UnsupportedOperatorError(
            f"{operator.label}: value {values or raw.type_name}; supported: PADV2 with the zero "
            f"point {x.quantization.zero_points[0]} of its input",
            hint="pad with zero",
        )
    _pad(scope, operator)


def _reshape(most: int) -> Callable[[Scope, RawOperator], None]:
    """RESHAPE, SQUEEZE, EXPAND_DIMS: the shape stands in the output tensor."""

    def convert(scope: Scope, operator: RawOperator) -> None:
        scope.operand_count(operator, 1, most)
        x, output = scope.int8(operator, 0), scope.output(operator)
        if math.prod(x.shape) != math.prod(output.shape):
            raise ModelError(
                f"{operator.label}: shape {list(x.shape)} to {list(output.shape)}",
                hint=DAMAGED_HINT,
            )
        scope.node(OpKind.RESHAPE, (x,), output, NoAttributes())

    return convert


def _concatenation(scope: Scope, operator: RawOperator) -> None:
    scope.operand_count(operator, 1, MAX_CONCATENATION_INPUTS)
    options = options_of(operator, tflite.ConcatenationOptions)
    activation = activation_of(operator, options)
    if activation is not Activation.NONE:
        raise UnsupportedOperatorError(
            f"{operator.label}: fused activation {activation.name}; supported: NONE",
            hint="put the activation into the operators before it",
        )
    inputs = tuple(scope.int8(operator, i) for i in range(len(operator.inputs)))
    output = scope.output(operator)
    axis = axis_of(operator, options.Axis(), len(output.shape))
    scope.node(OpKind.CONCATENATION, inputs, output, Concatenation(axis))


def _softmax(scope: Scope, operator: RawOperator) -> None:
    scope.operand_count(operator, 1, 1)
    beta = float(options_of(operator, tflite.SoftmaxOptions).Beta())
    if not (math.isfinite(beta) and beta > 0):
        raise ModelError(f"{operator.label}: beta {beta}", hint=DAMAGED_HINT)
    x = scope.int8(operator, 0)
    scope.node(OpKind.SOFTMAX, (x,), scope.output(operator), Softmax(beta))


def _unary(kind: OpKind) -> Callable[[Scope, RawOperator], None]:
    def convert(scope: Scope, operator: RawOperator) -> None:
        scope.operand_count(operator, 1, 1)
        scope.node(kind, (scope.int8(operator, 0),), scope.output(operator), NoAttributes())

    return convert


READERS: Mapping[str, Callable[[Scope, RawOperator], None]] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "ADD": _elementwise(OpKind.ADD, tflite.AddOptions),
    "MUL": _elementwise(OpKind.MUL, tflite.MulOptions),
    "AVERAGE_POOL_2D": _pool(OpKind.AVERAGE_POOL_2D),
    "MAX_POOL_2D": _pool(OpKind.MAX_POOL_2D),
    "MEAN": _mean,
    "PAD": _plain_pad,
    "PADV2": _pad_with_value,
    "RESHAPE": _reshape(2),
    "SQUEEZE": _reshape(1),
    "EXPAND_DIMS": _reshape(2),
    "CONCATENATION": _concatenation,
    "SOFTMAX": _softmax,
    "RELU": _unary(OpKind.RELU),
    "RELU6": _unary(OpKind.RELU6),
    "LOGISTIC": _unary(OpKind.LOGISTIC),
    "QUANTIZE": _unary(OpKind.QUANTIZE),
}
