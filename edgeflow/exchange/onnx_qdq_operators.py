"""Operators of a QDQ model without weights: arithmetic, pooling, means, padding, activations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeflow.exchange.onnx_operators import (
    Arithmetic,
    ArithmeticKind,
    Clamp,
    Concatenate,
    Padding,
    Pooling,
    PoolKind,
    ReduceMean,
    SoftmaxAlong,
    Step,
)
from edgeflow.exchange.onnx_qdq_build import Building, clamp_activation
from edgeflow.exchange.onnx_qdq_layout import channels_last
from edgeflow.exchange.onnx_qdq_values import Value, refuse, unquantized
from edgeflow.graph.ir import (
    Activation,
    Concatenation,
    Elementwise,
    Mean,
    OpKind,
    Pad,
    Pool2D,
    Quantization,
    Softmax,
    Window,
)
from edgeflow.graph.quantization_rules import PROBABILITY


def combine(building: Building, step: Step) -> None:
    """Add and Mul to ADD and MUL."""
    operator = step.operator
    assert isinstance(operator, Arithmetic)
    if _scales_softmax(building, step):
        return
    data = [name in building.values for name in step.inputs]
    if not any(data):
        raise unquantized(step, f"its input {step.inputs[0]!r}")
    operands = [building.operand(step, i) for i in range(2) if data[i]]
    largest = max(operands, key=lambda value: (len(value.shape), int(np.prod(value.shape))))
    names = []
    for i, name in enumerate(step.inputs):
        if data[i]:
            _require_same_layout(building.operand(step, i), largest, step)
            names.append(building.operand(step, i).tensor)
        else:
            names.append(_constant_operand(building, step, name, largest))
    behind = building.clamped_output(step.output)
    quantization = building.quantization_after(behind) or building.quantization_after(step.output)
    if quantization is None:
        raise unquantized(step, f"its output {step.output!r}")
    activation, output = building.activation_after(step.output, quantization)
    onnx_shape = building.flow.shapes[output]
    if len(onnx_shape) != len(largest.axes):
        raise refuse(step, f"broadcasts to the shape {list(onnx_shape)}")
    shape = tuple(onnx_shape[largest.axes.index(i)] for i in range(len(onnx_shape)))
    like = Value(building.tensor_name(output), shape, quantization, largest.axes, largest.order)
    kind = OpKind.ADD if operator.kind is ArithmeticKind.ADD else OpKind.MUL
    building.values[output] = building.emit(
        kind, (names[0], names[1]), like, Elementwise(activation), node=step.name
    )


def _scales_softmax(building: Building, step: Step) -> bool:
    """Whether this is the multiplication by a positive number in front of a softmax."""
    after = building.sole_consumer(step.output)
    constants = building.flow.constants
    factor = [n for n in step.inputs if n in constants and n not in building.constants]
    source = [n for n in step.inputs if n in building.values]
    if (
        step.operator != Arithmetic(ArithmeticKind.MUL)
        or after is None
        or not isinstance(after.operator, SoftmaxAlong)
        or len(factor) != 1
        or len(source) != 1
        or constants[factor[0]].size != 1
        or building.flow.shapes[step.output] != building.flow.shapes[source[0]]
    ):
        return False
    building.values[step.output] = building.values[source[0]]
    building.softmax_factors[step.output] = float(constants[factor[0]].reshape(-1)[0])
    return True


def _require_same_layout(value: Value, largest: Value, step: Step) -> None:
    one_element = int(np.prod(value.shape)) == 1
    same = value.axes == largest.axes and np.array_equal(
        [] if value.order is None else value.order, [] if largest.order is None else largest.order
    )
    if not one_element and not same:
        raise refuse(
            step,
            f"its inputs {value.tensor!r} and {largest.tensor!r} have different layouts",
            "a Transpose or Reshape before it does not cancel; move it behind this operator",
        )


def _constant_operand(building: Building, step: Step, name: str, like: Value) -> str:
    """A quantized constant as a tensor that broadcasts in the graph as it does in the file."""
    constant = building.constants.get(name)
    if constant is None:
        raise unquantized(step, f"the constant {name!r}")
    if constant.codes.dtype != np.int8 or constant.axis is not None or like.order is not None:
        raise refuse(
            step,
            f"the constant {name!r} must be int8 with one scale, and its partner not "
            "flattened from [N, C, H, W]",
        )
    codes, rank = constant.codes, len(like.axes)
    if codes.size > 1 or codes.ndim == rank:
        aligned = codes.reshape((1,) * (rank - codes.ndim) + codes.shape)
        aligned = aligned.transpose([like.axes.index(i) for i in range(rank)])
        per_channel = rank == 4 and aligned.shape == (1, 1, 1, like.shape[3])
        if aligned.size > 1 and not per_channel:
            aligned = np.broadcast_to(aligned, like.shape)
        codes = aligned
    quantization = Quantization((float(constant.scales[0]),), constant.zero_points)
    return building.add_constant(constant.name, codes, quantization)


def pool(building: Building, step: Step) -> None:
    """MaxPool and AveragePool; the output keeps the input's parameters."""
    operator = step.operator
    assert isinstance(operator, Pooling)
    x = channels_last(building, building.operand(step, 0), step)
    window = operator.window
    if operator.counts_padding:
        x = _zeros_around(building, step, x, window)
        window = Window(stride_h=window.stride_h, stride_w=window.stride_w)
    activation, output = building.activation_after(step.output, x.quantization)
    _, channels, height, width = building.flow.shapes[output]
    like = replace(x, tensor=building.tensor_name(output), shape=(1, height, width, channels))
    kind = OpKind.MAX_POOL_2D if operator.kind is PoolKind.MAX else OpKind.AVERAGE_POOL_2D
    attributes = Pool2D(operator.kernel_h, operator.kernel_w, window, activation)
    building.values[output] = building.emit(kind, (x.tensor,), like, attributes, node=step.name)


def _zeros_around(building: Building, step: Step, x: Value, window: Window) -> Value:
    pads = ((0, 0), (window.pad_top, window.pad_bottom), (window.pad_left, window.pad_right))
    full = (*pads, (0, 0))
    shape = tuple(d + b + a for d, (b, a) in zip(x.shape, full, strict=True))
    like = replace(x, tensor=f"{step.output}/padded", shape=shape)
    return building.emit(OpKind.PAD, (x.tensor,), like, Pad(full), node=f"{step.name}/pad")


def pad(building: Building, step: Step) -> None:
    """Pad with zeros to PAD."""
    operator = step.operator
    assert isinstance(operator, Padding)
    x = building.operand(step, 0)
    if operator.value != 0.0 or x.order is not None:
        raise refuse(step, f"pads with {operator.value}, or a flattened tensor; supported is 0")
    pads = tuple(operator.pads[x.axes.index(i)] for i in range(len(x.axes)))
    shape = tuple(d + b + a for d, (b, a) in zip(x.shape, pads, strict=True))
    like = replace(x, tensor=building.tensor_name(step.output), shape=shape)
    building.values[step.output] = building.emit(
        OpKind.PAD, (x.tensor,), like, Pad(pads), node=step.name
    )


def average(building: Building, step: Step) -> None:
    """ReduceMean and GlobalAveragePool to MEAN; without a QuantizeLinear it keeps parameters."""
    operator = step.operator
    assert isinstance(operator, ReduceMean)
    x = building.operand(step, 0)
    if x.order is not None:
        raise refuse(step, "averages a flattened tensor")
    gone = sorted(x.axes[a] for a in operator.axes)
    shape = tuple(
        1 if i in gone else d for i, d in enumerate(x.shape) if operator.keep_dims or i not in gone
    )
    axes = x.axes
    if not operator.keep_dims:
        left = [axis for axis in x.axes if axis not in gone]
        axes = tuple(sorted(left).index(axis) for axis in left)
    quantization = building.quantization_after(step.output) or x.quantization
    like = Value(building.tensor_name(step.output), shape, quantization, axes)
    attributes = Mean(tuple(gone), operator.keep_dims)
    building.values[step.output] = building.emit(
        OpKind.MEAN, (x.tensor,), like, attributes, node=step.name
    )


def join(building: Building, step: Step) -> None:
    """Concat to CONCATENATION; inputs with other parameters than the output are requantized."""
    operator = step.operator
    assert isinstance(operator, Concatenate)
    present = [building.values[name] for name in step.inputs if name in building.values]
    if not present:
        raise unquantized(step, f"its input {step.inputs[0]!r}")
    first = present[0]
    quantization = building.quantization_after(step.output)
    if quantization is None:
        if any(value.quantization != first.quantization for value in present):
            raise unquantized(step, f"its output {step.output!r}")
        quantization = first.quantization
    names = []
    for i, name in enumerate(step.inputs):
        if name in building.values:
            value = building.operand(step, i)
            if value.axes != first.axes or value.order is not None:
                raise refuse(step, f"its input {name!r} has another layout than the first")
            names.append(_requantized(building, step, value, quantization).tensor)
        else:
            names.append(_joined_constant(building, step, name, first, quantization))
    onnx_shape = building.flow.shapes[step.output]
    shape = tuple(onnx_shape[first.axes.index(i)] for i in range(len(onnx_shape)))
    like = Value(building.tensor_name(step.output), shape, quantization, first.axes)
    attributes = Concatenation(first.axes[operator.axis])
    building.values[step.output] = building.emit(
        OpKind.CONCATENATION, tuple(names), like, attributes, node=step.name
    )


def _requantized(building: Building, step: Step, value: Value, quantization: Quantization) -> Value:
    if value.quantization == quantization:
        return value
    like = replace(value, tensor=f"{value.tensor}/for/{step.name}", quantization=quantization)
    node = f"{step.name}/requantize"
    return building.emit(OpKind.QUANTIZE, (value.tensor,), like, node=node)


def _joined_constant(
    building: Building, step: Step, name: str, like: Value, quantization: Quantization
) -> str:
    constant = building.constants.get(name)
    if constant is None:
        raise unquantized(step, f"the constant {name!r}")
    codes = constant.codes
    given = Quantization(tuple(float(s) for s in constant.scales), constant.zero_points)
    if constant.axis is not None or given != quantization:
        scale, zero = np.float64(quantization.scales[0]), quantization.zero_points[0]
        steps = np.round(constant.real() / scale) + zero
        codes = np.clip(steps, -128, 127).astype(np.int8)
    codes = codes.transpose([like.axes.index(i) for i in range(codes.ndim)])
    return building.add_constant(constant.name, codes, quantization)


def softmax(building: Building, step: Step) -> None:
    """Softmax to SOFTMAX, whose output parameters are fixed (1/256, -128)."""
    operator = step.operator
    assert isinstance(operator, SoftmaxAlong)
    x = building.operand(step, 0)
    if x.axes[operator.axis] != len(x.axes) - 1:
        raise refuse(
            step, f"along axis {operator.axis}; supported are channels, or the last dimension"
        )
    beta = building.softmax_factors.get(step.inputs[0], 1.0)
    like = replace(x, tensor=building.tensor_name(step.output), quantization=PROBABILITY)
    building.values[step.output] = building.emit(
        OpKind.SOFTMAX, (x.tensor,), like, Softmax(beta), node=step.name
    )


def logistic(building: Building, step: Step) -> None:
    """Sigmoid to LOGISTIC, whose output parameters are fixed (1/256, -128)."""
    x = building.operand(step, 0)
    like = replace(x, tensor=building.tensor_name(step.output), quantization=PROBABILITY)
    building.values[step.output] = building.emit(OpKind.LOGISTIC, (x.tensor,), like, node=step.name)


def clamp(building: Building, step: Step) -> None:
    """Relu and Clip that did not fuse to RELU and RELU6; nothing where the clamp never acts."""
    operator = step.operator
    assert isinstance(operator, Clamp)
    x = building.operand(step, 0)
    quantization = building.quantization_after(step.output) or x.quantization
    activation = clamp_activation(operator, quantization)
    if clamp_activation(operator, x.quantization) is Activation.NONE:
        activation = Activation.NONE
    if activation is None:
        raise refuse(
            step,
            f"clamps to {operator.low} ... {operator.high}",
            "supported are Relu, Clip(0, 6), and bounds outside the quantized range",
        )
    if activation is Activation.NONE:
        building.values[step.output] = x
        return
    kind = OpKind.RELU if activation is Activation.RELU else OpKind.RELU6
    like = replace(x, tensor=building.tensor_name(step.output), quantization=quantization)
    building.values[step.output] = building.emit(kind, (x.tensor,), like, node=step.name)
