"""Channels that hold one value whatever the input: trained networks have many, none need code.

A filter that training has switched off gives its zero point everywhere; what reads it reads a
constant, and often is one itself. `without_constant_channels` takes such channels out of tensors
and weights and puts what they contributed into biases, in integers, so that the outputs of the
graph stay the same to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgeflow.graph.channel_bounds import (
    ChannelBounds,
    channel_bounds,
    is_padded,
    keeps_channels,
)
from edgeflow.graph.fixed_point import Int64Array, wrap_int32
from edgeflow.graph.groups import groups
from edgeflow.graph.ir import Concatenation, Graph, Node, OpKind, Quantization, Tensor

Mask = NDArray[np.bool_]

_FOLDING = frozenset({OpKind.CONV_2D, OpKind.FULLY_CONNECTED})
_WEIGHTED = _FOLDING | {OpKind.DEPTHWISE_CONV_2D}


def without_constant_channels(graph: Graph) -> Graph:
    """The graph without channels that cannot change; its inputs and outputs keep their shapes.

    Every tensor keeps one channel at least. The same outputs for every input, bit for bit.
    """
    bounds = channel_bounds(graph)
    kept = _kept_channels(graph, bounds)
    tensors = {name: _narrowed(tensor, kept.get(name)) for name, tensor in graph.tensors.items()}
    nodes = []
    for node in graph.nodes:
        if node.kind in _WEIGHTED:
            constants = _narrowed_constants(graph, node, kept, bounds)
            node = replace(node, inputs=(node.inputs[0], *(c.name for c in constants)))
            tensors.update({constant.name: constant for constant in constants})
        nodes.append(node)
    named = {name for node in nodes for name in (*node.inputs, *node.outputs)}
    named.update(graph.inputs)
    tensors = {name: tensor for name, tensor in tensors.items() if name in named}
    return replace(graph, tensors=tensors, nodes=tuple(nodes))


def _kept_channels(graph: Graph, bounds: Mapping[str, ChannelBounds]) -> dict[str, Mask]:
    """For every activation the channels that stay.

    Channels that an operator carries from tensor to tensor go together or not at all.
    """
    kept = {name: b.low != b.high for name, b in bounds.items()}
    for name in (*graph.inputs, *graph.outputs):
        kept[name][:] = True
    for node in graph.nodes:
        _keep_what_is_read(graph, node, bounds, kept)
    changed = True
    while changed:
        changed = False
        for mask in kept.values():
            if not mask.any():
                mask[0] = changed = True
        for node in graph.nodes:
            for pairs in _linked(graph, node):
                changed |= _join(kept, pairs)
    return kept


def _keep_what_is_read(
    graph: Graph, node: Node, bounds: Mapping[str, ChannelBounds], kept: dict[str, Mask]
) -> None:
    """Operators that need their input whole, or a value that no bias can stand for.

    Groups of channels stay equal: a grouped convolution keeps its input and output whole.
    """
    if node.kind in _FOLDING and groups(graph, node) == 1:
        x = graph.tensors[node.inputs[0]]
        assert x.quantization is not None
        if is_padded(node):
            kept[x.name] |= bounds[x.name].low != x.quantization.zero_points[0]
    elif not list(_linked(graph, node)):
        for name in (*node.inputs, *node.outputs):
            if name in kept:
                kept[name][:] = True


_Pairs = tuple[tuple[str, NDArray[np.int64]], tuple[str, NDArray[np.int64]]]


def _linked(graph: Graph, node: Node) -> Iterator[_Pairs]:
    """Pairs of (tensor, channels) that an operator carries one to one; none where it does not."""
    output = graph.tensors[node.outputs[0]]
    channels = np.arange(output.shape[-1])
    if node.kind in _FOLDING:
        return
    if node.kind is OpKind.DEPTHWISE_CONV_2D:
        x = graph.tensors[node.inputs[0]]
        yield (x.name, channels // (len(channels) // x.shape[-1])), (output.name, channels)
    elif _joins_channels(graph, node):
        start = 0
        for name in node.inputs:
            size = graph.tensors[name].shape[-1]
            yield (name, np.arange(size)), (output.name, start + np.arange(size))
            start += size
    elif (
        node.kind is OpKind.RESHAPE and len(channels) % graph.tensors[node.inputs[0]].shape[-1] == 0
    ):
        given = graph.tensors[node.inputs[0]]
        yield (given.name, channels % given.shape[-1]), (output.name, channels)
    elif keeps_channels(graph, node):
        for name in node.inputs:
            yield (name, channels), (output.name, channels)


def _joins_channels(graph: Graph, node: Node) -> bool:
    """Whether a CONCATENATION puts the channels of activations one after the other."""
    tensors = [graph.tensors[name] for name in node.inputs]
    return (
        isinstance(node.attributes, Concatenation)
        and node.attributes.axis % len(tensors[0].shape) == len(tensors[0].shape) - 1
        and not any(tensor.is_constant for tensor in tensors)
    )


def _join(kept: dict[str, Mask], pairs: _Pairs) -> bool:
    """Keep both of a pair where one is kept; whether that changed anything."""
    (first, first_channels), (second, second_channels) = pairs
    before = int(kept[first].sum() + kept[second].sum())
    either = kept[first][first_channels] | kept[second][second_channels]
    np.logical_or.at(kept[first], first_channels, either)
    np.logical_or.at(kept[second], second_channels, kept[first][first_channels])
    return int(kept[first].sum() + kept[second].sum()) > before


def _narrowed(tensor: Tensor, kept: Mask | None) -> Tensor:
    if kept is None or kept.all():
        return tensor
    return replace(tensor, shape=(*tensor.shape[:-1], int(kept.sum())))


def _narrowed_constants(
    graph: Graph, node: Node, kept: Mapping[str, Mask], bounds: Mapping[str, ChannelBounds]
) -> tuple[Tensor, Tensor]:
    """Weights and bias of the channels that stay, with what the others contribute in the bias.

    They are named after the node, because another node may read the same constants.
    """
    x, weights, bias = (graph.tensors[name] for name in node.inputs)
    inputs, outputs = kept[x.name], kept[node.outputs[0]]
    if inputs.all() and outputs.all():
        return weights, bias
    assert weights.data is not None
    assert bias.data is not None
    values, offsets = weights.data.astype(np.int8), bias.data.astype(np.int64)
    if node.kind is OpKind.DEPTHWISE_CONV_2D:
        values = values[..., outputs]
    else:
        offsets = offsets + _contributions(node, x, values, bounds[x.name], ~inputs)
        values = values[outputs][..., inputs]
    biases = wrap_int32(offsets)[outputs].astype(np.int32)
    return _constant(weights, node, values, outputs), _constant(bias, node, biases, outputs)


def _contributions(
    node: Node,
    x: Tensor,
    weights: NDArray[np.int8],
    bounds: ChannelBounds,
    removed: Mask,
) -> Int64Array:
    """What the removed inputs add to the sum of each output.

    Where there is padding only zero points are removed: they add nothing, in the image or beside.
    """
    assert x.quantization is not None
    if is_padded(node):
        return np.zeros(len(weights), np.int64)
    values = (bounds.low - x.quantization.zero_points[0]) * removed
    products: Int64Array = weights.astype(np.int64) * values
    sums: Int64Array = products.reshape(len(weights), -1).sum(axis=1)
    return sums


def _constant(
    tensor: Tensor, node: Node, data: NDArray[np.int8] | NDArray[np.int32], outputs: Mask
) -> Tensor:
    return replace(
        tensor,
        name=f"{tensor.name} of {node.name}",
        shape=data.shape,
        data=data.copy(),
        quantization=_of_channels(tensor.quantization, outputs),
    )


def _of_channels(parameters: Quantization | None, outputs: Mask) -> Quantization | None:
    if parameters is None or parameters.axis is None or len(parameters.scales) == 1:
        return parameters
    chosen = np.flatnonzero(outputs)
    return replace(
        parameters,
        scales=tuple(parameters.scales[i] for i in chosen),
        zero_points=tuple(parameters.zero_points[i] for i in chosen),
    )
