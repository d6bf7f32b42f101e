"""What each channel of each tensor can reach: interval propagation over the integer graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgeflow.graph.fixed_point import (
    Int64Array,
    multiply_as_double,
    multiply_by_quantized_multiplier,
)
from edgeflow.graph.groups import groups
from edgeflow.graph.ir import Conv2D, Graph, Mean, Node, OpKind, Tensor
from edgeflow.graph.kernels import KERNELS
from edgeflow.graph.requantize import conv_requantization, fully_connected_requantization

_WEIGHTED = frozenset({OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED})
# Every element of the output grows, or stays, where an element of an input grows.
_MONOTONE = frozenset(
    {
        OpKind.ADD,
        OpKind.AVERAGE_POOL_2D,
        OpKind.MAX_POOL_2D,
        OpKind.MEAN,
        OpKind.PAD,
        OpKind.CONCATENATION,
        OpKind.RELU,
        OpKind.RELU6,
        OpKind.QUANTIZE,
    }
)


@dataclass(frozen=True, eq=False)
class ChannelBounds:
    """The least and the largest int8 of each channel, the last axis, over all inputs: int64 [C]."""

    low: Int64Array
    high: Int64Array


def channel_bounds(graph: Graph) -> Mapping[str, ChannelBounds]:
    """Bounds of every activation; those of an operator that is not modelled are all of int8."""
    found: dict[str, ChannelBounds] = {}
    for name in graph.inputs:
        found[name] = _whole_range(graph.tensors[name])
    for node in graph.nodes:
        found[node.outputs[0]] = _output_bounds(graph, node, found)
    return found


def is_padded(node: Node) -> bool:
    """Whether windows of a convolution reach beyond its input, where values are the zero point."""
    if not isinstance(node.attributes, Conv2D):
        return False
    window = node.attributes.window
    return any((window.pad_top, window.pad_bottom, window.pad_left, window.pad_right))


def _whole_range(tensor: Tensor) -> ChannelBounds:
    channels = tensor.shape[-1]
    return ChannelBounds(np.full(channels, -128, np.int64), np.full(channels, 127, np.int64))


def _output_bounds(graph: Graph, node: Node, found: Mapping[str, ChannelBounds]) -> ChannelBounds:
    output = graph.tensors[node.outputs[0]]
    if node.kind in _WEIGHTED:
        return _weighted(graph, node, found[node.inputs[0]])
    if node.kind in _MONOTONE:
        return _at_extremes(graph, node, found)
    if node.kind is OpKind.RESHAPE:
        given = found[node.inputs[0]]
        times, rest = divmod(output.shape[-1], len(given.low))
        if rest == 0:
            return ChannelBounds(np.tile(given.low, times), np.tile(given.high, times))
    return _whole_range(output)


def _at_extremes(graph: Graph, node: Node, found: Mapping[str, ChannelBounds]) -> ChannelBounds:
    """The interpreter's kernel on the least and on the largest values of every channel."""

    def run(which: str) -> Int64Array:
        values = []
        for name in node.inputs:
            tensor = graph.tensors[name]
            if tensor.data is not None:
                values.append(tensor.data)
            else:
                channels = getattr(found[name], which).astype(np.int8)
                values.append(np.broadcast_to(channels, tensor.shape).copy())
        result = KERNELS[node.kind](graph, node, values)
        return result.reshape(-1, result.shape[-1]).astype(np.int64)

    return ChannelBounds(run("low").min(axis=0), run("high").max(axis=0))


def _weighted(graph: Graph, node: Node, given: ChannelBounds) -> ChannelBounds:
    """The sums' bounds from the signs of the weights, requantized."""
    x, weights, bias = (graph.tensors[name] for name in node.inputs)
    assert weights.data is not None
    assert bias.data is not None
    assert x.quantization is not None
    low, high = (bound - x.quantization.zero_points[0] for bound in (given.low, given.high))
    if is_padded(node):
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    values = weights.data.astype(np.int64)
    # [outputs, taps, input channels of each tap]
    if node.kind is OpKind.DEPTHWISE_CONV_2D:
        taps = values.reshape(-1, values.shape[3]).T[:, :, None]
        times = values.shape[3] // x.shape[3]
        low, high = (np.repeat(bound, times)[:, None, None] for bound in (low, high))
    else:
        parts = groups(graph, node)
        taps = values.reshape(values.shape[0], -1, x.shape[-1] // parts)
        times = values.shape[0] // parts
        low, high = (np.repeat(b.reshape(parts, -1), times, axis=0)[:, None] for b in (low, high))
    positive, negative = np.maximum(taps, 0), np.minimum(taps, 0)
    offset = bias.data.astype(np.int64)
    least = offset + (positive * low + negative * high).sum(axis=(1, 2))
    most = offset + (positive * high + negative * low).sum(axis=(1, 2))
    return ChannelBounds(*(_requantized(graph, node, sums) for sums in (least, most)))


def _requantized(graph: Graph, node: Node, sums: Int64Array) -> Int64Array:
    if node.kind is OpKind.FULLY_CONNECTED:
        dense = fully_connected_requantization(graph, node)
        scaled = multiply_as_double(sums, dense.multipliers, dense.right_shifts)
        zero_point, bounds = dense.output_zero_point, dense.range
    else:
        values = conv_requantization(graph, node)
        scaled = multiply_by_quantized_multiplier(sums, values.multipliers, values.shifts)
        zero_point, bounds = values.output_zero_point, values.range
    return np.clip(scaled + zero_point, bounds.minimum, bounds.maximum)


def keeps_channels(graph: Graph, node: Node) -> bool:
    """Whether channel c of the output depends on channel c of the inputs alone."""
    output = graph.tensors[node.outputs[0]]
    activations = [graph.tensors[name] for name in node.inputs]
    same = all(
        tensor.data is None and tensor.shape[-1] == output.shape[-1] for tensor in activations
    )
    if isinstance(node.attributes, Mean):
        rank = len(activations[0].shape)
        same = same and rank - 1 not in {axis % rank for axis in node.attributes.axes}
    return same and (node.kind in _MONOTONE or node.kind is OpKind.RESHAPE)
