"""Proof that no int32 accumulator overflows, for any input: exact bounds from the constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from edgeflow.errors import GraphError
from edgeflow.graph.fixed_point import (
    INT32_MAX,
    INT32_MIN,
    Int64Array,
    multiply_by_quantized_multiplier,
)
from edgeflow.graph.ir import Graph, Node, OpKind, Tensor
from edgeflow.graph.requantize import (
    conv_requantization,
    mean_requantization,
    mul_requantization,
    quantize_rescaling,
    relu_rescaling,
)


def check_overflow(graph: Graph, node: Node) -> None:
    """Every intermediate of the requantization fits int32, at the extremes of the input.

    ADD, SOFTMAX and the operators without an accumulator cannot overflow. What overflows here wraps
    on one target and saturates on another, so it is no legal graph.

    Raises:
        GraphError: with the channel and the bound.
    """
    rule = _RULES.get(node.kind)
    if rule is not None:
        rule(graph, node)


def _check_requantization(
    node: Node,
    low: Int64Array,
    high: Int64Array,
    multipliers: Int64Array,
    shifts: Int64Array,
    zero_point: int,
) -> None:
    """`low` and `high` bound the accumulators, one for each channel."""
    for bound in (low, high):
        legal = _in_int32(bound)
        small: Int64Array = np.where(legal, bound, 0)
        legal &= _in_int32(small << np.maximum(shifts, 0))
        scaled = multiply_by_quantized_multiplier(small, multipliers, shifts)
        legal &= _in_int32(scaled + zero_point)
        _raise_unless(legal, node, bound, np.maximum(shifts, 0))


def _raise_unless(
    legal: NDArray[np.bool_], node: Node, bound: Int64Array, left_shifts: NDArray[np.generic]
) -> None:
    if legal.all():
        return
    channel = int(np.argmin(legal))
    left_shift = int(np.broadcast_to(left_shifts, bound.shape)[channel])
    raise GraphError(
        f"node '{node.name}' ({node.kind}): the accumulator of channel {channel} can reach "
        f"{int(bound[channel])}, which overflows int32 with a left shift of {left_shift} bits",
        hint="Scales this far apart, or biases this large, mean a failed calibration.",
    )


def _in_int32(values: Int64Array) -> NDArray[np.bool_]:
    return (values >= INT32_MIN) & (values <= INT32_MAX)


def _weight_bounds(graph: Graph, node: Node, output_axis: int) -> tuple[Int64Array, Int64Array]:
    """Lowest and highest accumulator of each output channel."""
    x, weights, bias = (graph.tensors[name] for name in node.inputs)
    assert weights.data is not None
    assert bias.data is not None
    zero_point = _zero_point(x)
    rows = np.moveaxis(weights.data, output_axis, 0).reshape(weights.shape[output_axis], -1)
    positive = np.maximum(rows, 0).sum(axis=1, dtype=np.int64)
    negative = np.minimum(rows, 0).sum(axis=1, dtype=np.int64)
    least, most = -128 - zero_point, 127 - zero_point
    # These bound partial sums too, and sums that leave out padding: each term may be zero.
    low = positive * least + negative * most
    high = positive * most + negative * least
    offset = bias.data.astype(np.int64)
    return low + np.minimum(offset, 0), high + np.maximum(offset, 0)


def _scales(tensor: Tensor) -> tuple[float, ...]:
    assert tensor.quantization is not None
    return tensor.quantization.scales


def _zero_point(tensor: Tensor) -> int:
    assert tensor.quantization is not None
    return tensor.quantization.zero_points[0]


def _convolution(graph: Graph, node: Node) -> None:
    constants = conv_requantization(graph, node)
    axis = 3 if node.kind is OpKind.DEPTHWISE_CONV_2D else 0
    low, high = _weight_bounds(graph, node, axis)
    _check_requantization(
        node,
        low,
        high,
        np.array(constants.multipliers),
        np.array(constants.shifts),
        constants.output_zero_point,
    )


def _fully_connected(graph: Graph, node: Node) -> None:
    low, high = _weight_bounds(graph, node, 0)
    x, weights, _ = (_scales(graph.tensors[name]) for name in node.inputs)
    (output,) = _scales(graph.tensors[node.outputs[0]])
    ratios = np.array(weights) * x[0] / output
    for bound in (low, high):
        # The reference casts the scaled accumulator to int32 before it adds the zero point.
        legal = _in_int32(bound) & (np.abs(bound) * ratios < INT32_MAX - 256)
        _raise_unless(legal, node, bound, np.maximum(np.ceil(np.log2(ratios)), 0))


def _check_scalar(
    node: Node, low: int, high: int, multiplier: int, shift: int, zero_point: int
) -> None:
    _check_requantization(
        node,
        np.array([low]),
        np.array([high]),
        np.array([multiplier]),
        np.array([shift]),
        zero_point,
    )


def _mul(graph: Graph, node: Node) -> None:
    constants = mul_requantization(graph, node)
    first = (-128 - constants.input1_zero_point, 127 - constants.input1_zero_point)
    second = (-128 - constants.input2_zero_point, 127 - constants.input2_zero_point)
    products = [a * b for a in first for b in second]
    _check_scalar(
        node,
        min(products),
        max(products),
        constants.multiplier,
        constants.shift,
        constants.output_zero_point,
    )


def _mean(graph: Graph, node: Node) -> None:
    constants = mean_requantization(graph, node)
    low = constants.count * (-128 - constants.input_zero_point)
    high = constants.count * (127 - constants.input_zero_point)
    # The plain sum is formed before the zero point is taken off.
    low, high = min(low, -128 * constants.count), max(high, 127 * constants.count)
    _check_scalar(
        node, low, high, constants.multiplier, constants.shift, constants.output_zero_point
    )


def _rescaling(graph: Graph, node: Node) -> None:
    derive = quantize_rescaling if node.kind is OpKind.QUANTIZE else relu_rescaling
    constants = derive(graph, node)
    _check_scalar(
        node,
        -128 - constants.input_zero_point,
        127 - constants.input_zero_point,
        constants.multiplier,
        constants.shift,
        constants.output_zero_point,
    )


_RULES: Mapping[OpKind, Callable[[Graph, Node], None]] = {
    OpKind.CONV_2D: _convolution,
    OpKind.DEPTHWISE_CONV_2D: _convolution,
    OpKind.FULLY_CONNECTED: _fully_connected,
    OpKind.MUL: _mul,
    OpKind.MEAN: _mean,
    OpKind.QUANTIZE: _rescaling,
    OpKind.RELU: _rescaling,
    OpKind.RELU6: _rescaling,
}
