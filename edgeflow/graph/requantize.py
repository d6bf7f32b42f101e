"""The integer constants of every operator, derived as LiteRT's kernels derive them in `Prepare`.

The interpreter and every backend take them from here. Scales are float32 values; where the
reference multiplies them in float32 before it widens to double, so does this module, because the
low bits of the multiplier depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from edgeflow.errors import GraphError
from edgeflow.graph.fixed_point import double_multiplier, quantize_multiplier
from edgeflow.graph.ir import (
    Activation,
    Conv2D,
    Elementwise,
    FullyConnected,
    Graph,
    Mean,
    Node,
    OpKind,
    Pool2D,
    Softmax,
    Tensor,
)
from edgeflow.graph.requantization import (
    AddRequantization,
    ChannelRequantization,
    DenseRequantization,
    LookupTable,
    MeanRequantization,
    MulRequantization,
    OutputRange,
    Requantization,
    Rescaling,
    SoftmaxScaling,
)

ADD_LEFT_SHIFT = 20
SOFTMAX_INPUT_INTEGER_BITS = 5


def conv_requantization(graph: Graph, node: Node) -> ChannelRequantization:
    """CONV_2D and DEPTHWISE_CONV_2D; the scale ratio is computed in double."""
    assert isinstance(node.attributes, Conv2D)
    x, weights, output = _operands(graph, node, 0, 1)
    channels = output.shape[-1]
    ratios = [_scale(x) * scale / _scale(output) for scale in _channel_scales(weights, channels)]
    return _channelwise(x, output, ratios, node.attributes.activation)


def fully_connected_requantization(graph: Graph, node: Node) -> DenseRequantization:
    """FULLY_CONNECTED; the reference scales in double, which these integers reproduce."""
    assert isinstance(node.attributes, FullyConnected)
    x, weights, output = _operands(graph, node, 0, 1)
    ratios = [
        _scale(x) * scale / _scale(output) for scale in _channel_scales(weights, output.shape[-1])
    ]
    pairs = [double_multiplier(ratio) for ratio in ratios]
    return DenseRequantization(
        input_zero_point=_zero_point(x),
        multipliers=tuple(multiplier for multiplier, _ in pairs),
        right_shifts=tuple(right_shift for _, right_shift in pairs),
        output_zero_point=_zero_point(output),
        range=output_range(output, node.attributes.activation),
    )


def add_requantization(graph: Graph, node: Node) -> AddRequantization:
    """ADD.

    Raises:
        GraphError: twice the larger input scale is not below 2**20 times the output scale.
    """
    assert isinstance(node.attributes, Elementwise)
    first, second, output = _operands(graph, node, 0, 1)
    twice_max = 2.0 * max(_scale(first), _scale(second))
    input1 = quantize_multiplier(_scale(first) / twice_max)
    input2 = quantize_multiplier(_scale(second) / twice_max)
    result = quantize_multiplier(twice_max / (2.0**ADD_LEFT_SHIFT * _scale(output)))
    if result[1] > 0:
        raise GraphError(
            f"{node.name}: ADD with input scales {_scale(first):g} and {_scale(second):g}: the "
            f"output scale {_scale(output):g} is too small for its fixed-point form",
            hint=f"2 * max(input scales) must be below 2**{ADD_LEFT_SHIFT} * output scale.",
        )
    return AddRequantization(
        left_shift=ADD_LEFT_SHIFT,
        input1_zero_point=_zero_point(first),
        input1_multiplier=input1[0],
        input1_shift=input1[1],
        input2_zero_point=_zero_point(second),
        input2_multiplier=input2[0],
        input2_shift=input2[1],
        output_multiplier=result[0],
        output_shift=result[1],
        output_zero_point=_zero_point(output),
        range=output_range(output, node.attributes.activation),
    )


def mul_requantization(graph: Graph, node: Node) -> MulRequantization:
    """MUL; the scale ratio is computed in float32."""
    assert isinstance(node.attributes, Elementwise)
    first, second, output = _operands(graph, node, 0, 1)
    with np.errstate(under="ignore", over="ignore"):
        ratio = _float32(_scale(first)) * _float32(_scale(second)) / _float32(_scale(output))
    multiplier, shift = quantize_multiplier(float(ratio))
    return MulRequantization(
        input1_zero_point=_zero_point(first),
        input2_zero_point=_zero_point(second),
        multiplier=multiplier,
        shift=shift,
        output_zero_point=_zero_point(output),
        range=output_range(output, node.attributes.activation),
    )


def mean_requantization(graph: Graph, node: Node) -> MeanRequantization:
    """MEAN; the division by the number of elements goes into the multiplier."""
    assert isinstance(node.attributes, Mean)
    x, output = _operands(graph, node, 0)
    count = int(np.prod([x.shape[axis] for axis in node.attributes.axes]))
    multiplier, shift = quantize_multiplier(_scale(x) / _scale(output))
    headroom = min(count.bit_length() - 1, 32, 31 + shift)
    return MeanRequantization(
        input_zero_point=_zero_point(x),
        count=count,
        multiplier=(multiplier << headroom) // count,
        shift=shift - headroom,
        output_zero_point=_zero_point(output),
        range=output_range(output, Activation.NONE),
    )


def quantize_rescaling(graph: Graph, node: Node) -> Rescaling:
    """QUANTIZE; the scale ratio is computed in double."""
    x, output = _operands(graph, node, 0)
    ratio = _scale(x) / _scale(output)
    return _rescaling(x, output, ratio, output_range(output, Activation.NONE))


def relu_rescaling(graph: Graph, node: Node) -> Rescaling:
    """RELU and RELU6 as operators of their own; the scale ratio is computed in float32."""
    x, output = _operands(graph, node, 0)
    with np.errstate(under="ignore", over="ignore"):
        ratio = float(_float32(_scale(x)) / _float32(_scale(output)))
    activation = Activation.RELU6 if node.kind is OpKind.RELU6 else Activation.RELU
    return _rescaling(x, output, ratio, output_range(output, activation))


def pool_range(graph: Graph, node: Node) -> OutputRange:
    """AVERAGE_POOL_2D and MAX_POOL_2D: input and output share their parameters, so only a clamp."""
    assert isinstance(node.attributes, Pool2D)
    return output_range(graph.tensors[node.outputs[0]], node.attributes.activation)


def softmax_scaling(graph: Graph, node: Node) -> SoftmaxScaling:
    """SOFTMAX.

    Raises:
        GraphError: beta * input scale is below 2**-26, which the reference kernel cannot represent.
    """
    assert isinstance(node.attributes, Softmax)
    (x,) = _operands(graph, node, 0)[:1]
    input_scale = float(_float32(node.attributes.beta)) * _scale(x)
    real = min(input_scale * 2.0 ** (31 - SOFTMAX_INPUT_INTEGER_BITS), 2.0**31 - 1.0)
    if not real > 1.0:
        raise GraphError(
            f"{node.name}: SOFTMAX with beta {node.attributes.beta:g} and input scale "
            f"{_scale(x):g} has no fixed-point form",
            hint="beta * input scale must be above 2**-26.",
        )
    # Unlike other multipliers, a left shift of 31 is legal here: the differences are then all zero.
    fraction, left_shift = np.frexp(real)
    multiplier = int(np.floor(fraction * 2.0**31 + 0.5))
    if multiplier == 2**31:
        multiplier, left_shift = 2**30, left_shift + 1
    radius = (2**SOFTMAX_INPUT_INTEGER_BITS - 1) * 2 ** (31 - SOFTMAX_INPUT_INTEGER_BITS)
    return SoftmaxScaling(multiplier, int(left_shift), -(radius >> int(left_shift)))


def logistic_table(graph: Graph, node: Node) -> LookupTable:
    """LOGISTIC: 256 entries computed in float32, as the reference does in `Prepare`."""
    x, output = _operands(graph, node, 0)
    differences = np.arange(-128, 128, dtype=np.int32) - _zero_point(x)
    real = _float32(_scale(x)) * differences.astype(np.float32)
    with np.errstate(over="ignore", under="ignore"):
        # The C library's expf is correctly rounded but for rare cases; a double exp rounded is too.
        exponential = np.exp(-real.astype(np.float64)).astype(np.float32)
        sigmoid = np.float32(1.0) / (np.float32(1.0) + exponential)
        scaled = sigmoid * (np.float32(1.0) / _float32(_scale(output)))
    rounded = np.floor(scaled.astype(np.float64) + 0.5).astype(np.int64) + _zero_point(output)
    return LookupTable(tuple(int(value) for value in np.clip(rounded, -128, 127)))


REQUANTIZATIONS: Mapping[OpKind, Callable[[Graph, Node], Requantization]] = {
    OpKind.CONV_2D: conv_requantization,
    OpKind.DEPTHWISE_CONV_2D: conv_requantization,
    OpKind.FULLY_CONNECTED: fully_connected_requantization,
    OpKind.ADD: add_requantization,
    OpKind.MUL: mul_requantization,
    OpKind.AVERAGE_POOL_2D: pool_range,
    OpKind.MAX_POOL_2D: pool_range,
    OpKind.MEAN: mean_requantization,
    OpKind.SOFTMAX: softmax_scaling,
    OpKind.RELU: relu_rescaling,
    OpKind.RELU6: relu_rescaling,
    OpKind.LOGISTIC: logistic_table,
    OpKind.QUANTIZE: quantize_rescaling,
}
"""The operators that compute; PAD, RESHAPE and CONCATENATION only move values."""


def output_range(output: Tensor, activation: Activation) -> OutputRange:
    """The int8 interval that an activation leaves.

    Raises:
        GraphError: 6 / scale does not fit 32 bits (RELU6 only).
    """
    zero_point = _zero_point(output)
    if activation is Activation.NONE:
        return OutputRange(-128, 127)
    if activation is Activation.RELU:
        return OutputRange(zero_point, 127)
    with np.errstate(over="ignore"):
        six = float(np.float32(6.0) / _float32(_scale(output)))
    if six >= 2.0**31:
        raise GraphError(
            f"tensor '{output.name}': RELU6 with scale {_scale(output):g}: 6 does not fit 32 bits",
            hint="Scales below 3e-9 cannot carry a RELU6.",
        )
    return OutputRange(zero_point, min(127, zero_point + int(np.floor(six + 0.5))))


def _rescaling(x: Tensor, output: Tensor, ratio: float, bounds: OutputRange) -> Rescaling:
    multiplier, shift = quantize_multiplier(ratio)
    return Rescaling(_zero_point(x), multiplier, shift, _zero_point(output), bounds)


def _channelwise(
    x: Tensor, output: Tensor, ratios: list[float], activation: Activation
) -> ChannelRequantization:
    pairs = [quantize_multiplier(ratio) for ratio in ratios]
    return ChannelRequantization(
        input_zero_point=_zero_point(x),
        multipliers=tuple(multiplier for multiplier, _ in pairs),
        shifts=tuple(shift for _, shift in pairs),
        output_zero_point=_zero_point(output),
        range=output_range(output, activation),
    )


def _operands(graph: Graph, node: Node, *inputs: int) -> list[Tensor]:
    names = [node.inputs[index] for index in inputs] + [node.outputs[0]]
    return [graph.tensors[name] for name in names]


def _quantization_scales(tensor: Tensor) -> tuple[float, ...]:
    if tensor.quantization is None:
        raise GraphError(
            f"tensor '{tensor.name}' has no quantization parameters",
            hint="Every tensor of an integer graph needs a scale and a zero point.",
        )
    return tensor.quantization.scales


def _channel_scales(weights: Tensor, channels: int) -> tuple[float, ...]:
    scales = _quantization_scales(weights)
    return scales * channels if len(scales) == 1 else scales


def _scale(tensor: Tensor) -> float:
    return _quantization_scales(tensor)[0]


def _zero_point(tensor: Tensor) -> int:
    _quantization_scales(tensor)
    assert tensor.quantization is not None
    return tensor.quantization.zero_points[0]


def _float32(value: float) -> np.float32:
    return np.float32(value)
