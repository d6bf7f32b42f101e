"""One form for graphs that compute the same: what importers produce, brought together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from edgeflow.graph.groups import groups
from edgeflow.graph.ir import Conv2D, Graph, Node, OpKind, Pad, Tensor

_CONVOLUTIONS = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D)


def canonicalize(graph: Graph) -> Graph:
    """The graph with the same results on every input, and in a form that backends expect.

    A PAD of height and width that only convolutions read becomes their padding. A RESHAPE, PAD or
    CONCATENATION that changes nothing is left out where its output is no output of the graph. A
    CONV_2D whose groups are single channels of several is a DEPTHWISE_CONV_2D. Nodes whose results
    nobody reads go, and so do tensors that no node names. One scale has no axis.
    """
    nodes = _needed(graph.nodes, graph.outputs)
    nodes = _without_identities(graph.tensors, nodes, graph.outputs)
    nodes = _fold_pads(nodes, graph.outputs)
    filters = _depthwise_filters(graph, nodes)
    nodes = tuple(_on_single_channels(node, filters) for node in nodes)
    named = {name for node in nodes for name in (*node.inputs, *node.outputs)}
    named.update(graph.inputs)
    tensors = {
        name: _without_idle_axis(filters.get(name, tensor))
        for name, tensor in graph.tensors.items()
        if name in named
    }
    return replace(graph, tensors=tensors, nodes=nodes)


def _without_idle_axis(tensor: Tensor) -> Tensor:
    parameters = tensor.quantization
    if parameters is None or parameters.axis is None or len(parameters.scales) > 1:
        return tensor
    return replace(tensor, quantization=replace(parameters, axis=None))


def _depthwise_filters(graph: Graph, nodes: tuple[Node, ...]) -> dict[str, Tensor]:
    """Weights [O, KH, KW, 1] that only groups of single channels read, as [1, KH, KW, O]."""
    single: set[str] = set()
    others: set[str] = set()
    for node in nodes:
        is_single = groups(graph, node) == graph.tensors[node.inputs[0]].shape[-1] > 1
        single.update(node.inputs[1:2] if is_single else ())
        others.update((node.inputs[0], *node.inputs[2:]) if is_single else node.inputs)
    return {name: _channels_last(graph.tensors[name]) for name in sorted(single - others)}


def _channels_last(weights: Tensor) -> Tensor:
    assert weights.data is not None
    data = np.ascontiguousarray(weights.data.astype(np.int8).transpose(3, 1, 2, 0))
    quantization = weights.quantization
    if quantization is not None and quantization.axis is not None:
        quantization = replace(quantization, axis=3)
    return replace(weights, shape=data.shape, data=data, quantization=quantization)


def _on_single_channels(node: Node, filters: Mapping[str, Tensor]) -> Node:
    single = node.kind is OpKind.CONV_2D and node.inputs[1] in filters
    return replace(node, kind=OpKind.DEPTHWISE_CONV_2D) if single else node


def _fold_pads(nodes: tuple[Node, ...], outputs: tuple[str, ...]) -> tuple[Node, ...]:
    """Padding with the zero point adds nothing to an accumulator, inside or outside the window.

    From the last node to the first, so that a PAD before a folded PAD folds too.
    """
    rewritten = {node.outputs[0]: node for node in nodes}
    readers: dict[str, set[str]] = {}
    for node in nodes:
        for name in node.inputs:
            readers.setdefault(name, set()).add(node.outputs[0])
    for node in reversed(nodes):
        result = node.outputs[0]
        if result in outputs or not isinstance(node.attributes, Pad):
            continue
        reading = readers.get(result, set())
        if _is_spatial(node.attributes) and all(_pads_input(rewritten[r], node) for r in reading):
            for reader in reading:
                rewritten[reader] = _with_padding(rewritten[reader], node)
            readers[node.inputs[0]] = (readers[node.inputs[0]] - {result}) | reading
            del rewritten[result]
    return tuple(rewritten.values())


def _is_spatial(pad: Pad) -> bool:
    return len(pad.pads) == 4 and pad.pads[0] == (0, 0) and pad.pads[3] == (0, 0)


def _pads_input(reader: Node, pad: Node) -> bool:
    return reader.kind in _CONVOLUTIONS and reader.inputs[0] == pad.outputs[0]


def _with_padding(node: Node, pad: Node) -> Node:
    assert isinstance(node.attributes, Conv2D)
    assert isinstance(pad.attributes, Pad)
    (top, bottom), (left, right) = pad.attributes.pads[1:3]
    window = node.attributes.window
    padded = replace(
        window,
        pad_top=window.pad_top + top,
        pad_bottom=window.pad_bottom + bottom,
        pad_left=window.pad_left + left,
        pad_right=window.pad_right + right,
    )
    return replace(
        node,
        inputs=(pad.inputs[0], *node.inputs[1:]),
        attributes=replace(node.attributes, window=padded),
    )


def _without_identities(
    tensors: Mapping[str, Tensor], nodes: tuple[Node, ...], outputs: tuple[str, ...]
) -> tuple[Node, ...]:
    source: dict[str, str] = {}
    kept: list[Node] = []
    for node in nodes:
        inputs = tuple(source.get(name, name) for name in node.inputs)
        result = node.outputs[0]
        if result not in outputs and _is_identity(tensors, node):
            source[result] = inputs[0]
        else:
            kept.append(replace(node, inputs=inputs))
    return tuple(kept)


def _is_identity(tensors: Mapping[str, Tensor], node: Node) -> bool:
    moves = node.kind in (OpKind.RESHAPE, OpKind.PAD, OpKind.CONCATENATION)
    same_shape = tensors[node.inputs[0]].shape == tensors[node.outputs[0]].shape
    return moves and len(node.inputs) == 1 and same_shape


def _needed(nodes: tuple[Node, ...], outputs: tuple[str, ...]) -> tuple[Node, ...]:
    needed = set(outputs)
    kept: list[Node] = []
    for node in reversed(nodes):
        if needed.intersection(node.outputs):
            needed.update(node.inputs)
            kept.append(node)
    return tuple(reversed(kept))
