"""Convolutions and dense steps of a QDQ model: weights, biases, per-channel factors behind them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgeflow.errors import ModelError
from edgeflow.exchange.onnx_operators import (
    Arithmetic,
    ArithmeticKind,
    Convolution,
    Dense,
    Normalization,
    Step,
)
from edgeflow.exchange.onnx_qdq_build import Building
from edgeflow.exchange.onnx_qdq_layout import channels_last, flattened
from edgeflow.exchange.onnx_qdq_values import (
    NCHW,
    QuantizedConstant,
    Value,
    refuse,
    unquantized,
)
from edgeflow.graph.ir import Conv2D, FullyConnected, OpKind, Quantization

_BIAS_SCALE_RELATIVE_TOLERANCE = 1e-5
_INT32 = np.iinfo(np.int32)


@dataclass(frozen=True, eq=False)
class _Weighted:
    """Weights with channels in front [out, ...], float scales per channel or one, and the bias.

    The bias is in the file's integers as long as nothing changed it, else in real values.
    """

    codes: NDArray[np.int8]
    scales: NDArray[np.float32]
    per_channel: bool
    bias: QuantizedConstant | NDArray[np.float64] | None


def convolve(building: Building, step: Step) -> None:
    """Conv, with what folds behind it, to CONV_2D or DEPTHWISE_CONV_2D."""
    operator = step.operator
    assert isinstance(operator, Convolution)
    x = channels_last(building, building.operand(step, 0), step)
    weighted, output = _folded(building, step, _weights(building, step, 0), step.output)
    single = step.name in building.single_channel_depthwise
    depthwise = (single and x.shape[3] == 1) or 1 < operator.groups == x.shape[3]
    order = (1, 2, 3, 0) if depthwise else (0, 2, 3, 1)
    codes = weighted.codes.transpose(order)
    _, channels, height, width = building.flow.shapes[output]
    quantization = _output_quantization(building, step, output)
    activation, output = building.activation_after(output, quantization)
    like = Value(building.tensor_name(output), (1, height, width, channels), quantization, NCHW)
    kind = OpKind.DEPTHWISE_CONV_2D if depthwise else OpKind.CONV_2D
    inputs = _constants(building, step, x, weighted, codes, 3 if depthwise else 0)
    attributes = Conv2D(operator.window, activation)
    building.values[output] = building.emit(kind, inputs, like, attributes, node=step.name)


def multiply_matrix(building: Building, step: Step) -> None:
    """Gemm or MatMul, with what folds behind it, to FULLY_CONNECTED."""
    operator = step.operator
    assert isinstance(operator, Dense)
    x = flattened(building.operand(step, 0), step)
    weighted = _weights(building, step, 0 if operator.weights_transposed else 1)
    if (operator.weights_factor, operator.bias_factor) != (1.0, 1.0):
        channels = len(weighted.codes)
        bias = _real_bias(weighted) * operator.bias_factor
        weighted = replace(weighted, bias=np.zeros(channels))
        weighted = _scaled(weighted, np.full(channels, operator.weights_factor), bias)
    if x.order is not None:
        codes = np.empty_like(weighted.codes)
        codes[:, x.order] = weighted.codes
        weighted = replace(weighted, codes=codes)
    weighted, output = _folded(building, step, weighted, step.output)
    quantization = _output_quantization(building, step, output)
    activation, output = building.activation_after(output, quantization)
    shape = building.flow.shapes[output]
    like = Value(building.tensor_name(output), shape, quantization, (0, 1))
    inputs = _constants(building, step, x, weighted, weighted.codes, 0)
    building.values[output] = building.emit(
        OpKind.FULLY_CONNECTED, inputs, like, FullyConnected(activation), node=step.name
    )


def _output_quantization(building: Building, step: Step, output: str) -> Quantization:
    behind = building.clamped_output(output)
    quantization = building.quantization_after(behind)
    if quantization is None and behind != output:
        quantization = building.quantization_after(output)
    if quantization is None:
        raise unquantized(step, f"its output {output!r}")
    return quantization


def _weights(building: Building, step: Step, out_axis: int) -> _Weighted:
    constant = building.constants.get(step.inputs[1])
    if constant is None:
        raise unquantized(step, f"the weights {step.inputs[1]!r}")
    if constant.codes.dtype != np.int8:
        raise refuse(step, f"weights of type {constant.codes.dtype}; supported is int8")
    if any(constant.zero_points):
        raise refuse(
            step,
            f"weights with zero points {sorted(set(constant.zero_points))[:4]}",
            "quantize weights symmetrically (int8, zero point 0)",
        )
    if constant.axis not in (None, out_axis):
        raise refuse(
            step,
            f"weights with scales along axis {constant.axis}",
            f"quantize weights per tensor or per output channel (axis {out_axis})",
        )
    codes = constant.codes if out_axis == 0 else constant.codes.T
    per_channel = constant.axis is not None
    return _Weighted(codes, constant.scales, per_channel, _bias(building, step, len(codes)))


def _bias(
    building: Building, step: Step, channels: int
) -> QuantizedConstant | NDArray[np.float64] | None:
    if len(step.inputs) < 3:
        return None
    name = step.inputs[2]
    constant = building.constants.get(name)
    if constant is not None and constant.codes.dtype == np.int32 and not any(constant.zero_points):
        return replace(constant, codes=constant.codes.reshape(channels))
    if name not in building.flow.constants:
        raise refuse(step, f"the bias {name!r} depends on the data")
    return building.flow.constants[name].reshape(channels).astype(np.float64)


def _real_bias(weighted: _Weighted) -> NDArray[np.float64]:
    if weighted.bias is None:
        return np.zeros(len(weighted.codes))
    if isinstance(weighted.bias, QuantizedConstant):
        return weighted.bias.real()
    return weighted.bias


def _scaled(
    weighted: _Weighted, factor: NDArray[np.float64], shift: NDArray[np.float64]
) -> _Weighted:
    """(W x + b) * factor + shift, per output channel; signs go into the integers."""
    signs = np.sign(factor).astype(np.int16).reshape((-1,) + (1,) * (weighted.codes.ndim - 1))
    # -128 has no negative in int8: the one code that a negative factor moves by one step.
    codes = np.clip(weighted.codes.astype(np.int16) * signs, -128, 127).astype(np.int8)
    magnitude = np.where(factor == 0.0, 1.0, np.abs(factor))
    with np.errstate(over="ignore", under="ignore"):
        scales = (weighted.scales.astype(np.float64) * magnitude).astype(np.float32)
    return _Weighted(codes, scales, True, _real_bias(weighted) * factor + shift)


def _folded(
    building: Building, step: Step, weighted: _Weighted, output: str
) -> tuple[_Weighted, str]:
    """Fold BatchNormalization, and Mul and Add by a constant per channel, that follow directly."""
    while True:
        after = building.sole_consumer(output)
        affine = None if after is None else _affine(building, after, output)
        if after is None or affine is None:
            return weighted, output
        weighted = _scaled(weighted, *affine)
        building.fused.add(after.name)
        output = after.output


def _affine(
    building: Building, step: Step, source: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    flow = building.flow
    channels = flow.shapes[source][1]
    if isinstance(step.operator, Normalization):
        scale, shift, mean, variance = (
            flow.constants[name].astype(np.float64) for name in step.inputs[1:]
        )
        factor = scale / np.sqrt(variance + step.operator.epsilon)
        return factor, shift - mean * factor
    if not isinstance(step.operator, Arithmetic) or len(step.inputs) != 2:
        return None
    other = step.inputs[1] if step.inputs[0] == source else step.inputs[0]
    if other not in flow.constants or flow.shapes[step.output] != flow.shapes[source]:
        return None
    values = flow.constants[other].astype(np.float64)
    rank = len(flow.shapes[source])
    aligned = (1,) * (rank - values.ndim) + values.shape
    if values.size != 1 and aligned != (1, channels) + (1,) * (rank - 2):
        return None
    spread = np.broadcast_to(values.reshape(-1), (channels,))
    if step.operator.kind is ArithmeticKind.ADD:
        return np.ones(channels), spread
    return spread, np.zeros(channels)


def _constants(
    building: Building,
    step: Step,
    x: Value,
    weighted: _Weighted,
    codes: NDArray[np.int8],
    axis: int,
) -> tuple[str, str, str]:
    """Add weights and bias to the graph; gives the node's inputs."""
    stored = building.constants[step.inputs[1]]
    quantization = Quantization(
        tuple(float(s) for s in weighted.scales),
        (0,) * weighted.scales.size,
        axis if weighted.per_channel else None,
    )
    weights = building.add_constant(stored.name, codes, quantization)
    scales = (weighted.scales * np.float32(x.quantization.scales[0])).astype(np.float32)
    name = f"{step.name}/bias" if len(step.inputs) < 3 else step.inputs[2]
    bias = weighted.bias
    if isinstance(bias, QuantizedConstant):
        name = bias.name
        fits = bias.scales.size == scales.size and np.allclose(
            bias.scales, scales, rtol=_BIAS_SCALE_RELATIVE_TOLERANCE, atol=0.0
        )
        if fits:
            scales, integers = bias.scales, bias.codes
        else:
            integers = _integers(step, bias.real(), scales)
    else:
        integers = _integers(step, _real_bias(weighted), scales)
    bias_axis = 0 if weighted.per_channel else None
    bias_quantization = Quantization(tuple(float(s) for s in scales), (0,) * scales.size, bias_axis)
    return x.tensor, weights, building.add_constant(name, integers, bias_quantization)


def _integers(
    step: Step, real: NDArray[np.float64], scales: NDArray[np.float32]
) -> NDArray[np.int32]:
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        steps = np.round(real / scales.astype(np.float64))
    if not np.all(np.abs(steps) <= _INT32.max):
        raise ModelError(
            f"node {step.name!r} ({step.op_type}): a bias of {np.abs(real).max():g} does not fit "
            f"32 bits at the scale {scales.min():g}",
            hint="the weights of that channel are far smaller than its bias; quantize per tensor",
        )
    return steps.astype(np.int32)
