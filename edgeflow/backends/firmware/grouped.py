"""Convolutions in groups with the kernels of ordinary ones, in every kernel set.

One group after the other: its input channels are copied next to one another, its filters run on
them as a layer of their own, and its output channels are copied to their places. The copies are
few beside the products of a filter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from edgeflow.backends.firmware.c_text import Expression
from edgeflow.backends.firmware.portable_c.layout import copy_call
from edgeflow.backends.firmware.rendering import LayerContext, RenderedLayer, Renderer
from edgeflow.graph.groups import groups
from edgeflow.graph.ir import Graph, Node, Quantization, Tensor

NodeBytes = Callable[[Graph, Node], int]

_COPIED_ELEMENT = 3  # instructions for each int8 that is copied
_ALIGNMENT_BYTES = 8  # of the places in working memory, as much as any kernel set asks for


def group_layer(graph: Graph, node: Node, group: int) -> tuple[Graph, Node]:
    """The ordinary convolution of one group: the same names, the channels of that group."""
    parts = groups(graph, node)
    x, weights, bias = (graph.tensors[name] for name in node.inputs)
    output = graph.tensors[node.outputs[0]]
    tensors = {
        x.name: _of_channels(x, parts),
        weights.name: _slice(weights, parts, group),
        bias.name: _slice(bias, parts, group),
        output.name: _of_channels(output, parts),
    }
    return Graph(graph.name, tensors, (node,), node.inputs, node.outputs), node


def _of_channels(tensor: Tensor, parts: int) -> Tensor:
    return replace(tensor, shape=(*tensor.shape[:-1], tensor.shape[-1] // parts))


def _slice(tensor: Tensor, parts: int, group: int) -> Tensor:
    """One of equal parts along the first axis, which is that of the output channels."""
    assert tensor.data is not None
    each = tensor.shape[0] // parts
    part = slice(group * each, (group + 1) * each)
    quantization = tensor.quantization
    if quantization is not None and quantization.axis is not None:
        scales, zero_points = quantization.scales[part], quantization.zero_points[part]
        quantization = Quantization(scales, zero_points, quantization.axis)
    shape = (each, *tensor.shape[1:])
    return replace(tensor, shape=shape, data=tensor.data[part], quantization=quantization)


@dataclass(frozen=True)
class _WorkingMemory:
    """Where the channels of a group and the kernel's own memory lie, in bytes from the start."""

    output: int
    kernel: int
    total: int


def _working_memory(graph: Graph, node: Node, kernel_bytes: NodeBytes) -> _WorkingMemory:
    layers = [group_layer(graph, node, group) for group in range(groups(graph, node))]
    tensors = layers[0][0].tensors
    x, output = (int(np.prod(tensors[n].shape)) for n in (node.inputs[0], node.outputs[0]))
    output_at = _aligned(x)
    kernel_at = output_at + _aligned(output)
    return _WorkingMemory(
        output_at, kernel_at, kernel_at + max(kernel_bytes(*layer) for layer in layers)
    )


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES


def scratch_bytes(kernel_bytes: NodeBytes) -> NodeBytes:
    """Working memory of a node, where `kernel_bytes` says that of a kernel without groups."""

    def of_node(graph: Graph, node: Node) -> int:
        if groups(graph, node) == 1:
            return kernel_bytes(graph, node)
        return _working_memory(graph, node, kernel_bytes).total

    return of_node


def overlap_bytes(of_kernel: Callable[[Graph, Node], int | None]) -> Callable[..., int | None]:
    """As `of_kernel` says; every group reads the whole input, so that it has to stay."""

    def of_node(graph: Graph, node: Node) -> int | None:
        return of_kernel(graph, node) if groups(graph, node) == 1 else None

    return of_node


def set_up_instructions(of_kernel: NodeBytes) -> NodeBytes:
    """What a call costs beside its rows: the calls of all groups."""

    def of_node(graph: Graph, node: Node) -> int:
        parts = groups(graph, node)
        if parts == 1:
            return of_kernel(graph, node)
        return sum(of_kernel(*group_layer(graph, node, group)) for group in range(parts))

    return of_node


def renderer(convolution: Renderer, kernel_bytes: NodeBytes) -> Renderer:
    """CONV_2D with any number of groups by the renderer of one without."""

    def render(layer: LayerContext) -> RenderedLayer:
        parts = groups(layer.graph, layer.node)
        if parts == 1:
            return convolution(layer)
        memory = _working_memory(layer.graph, layer.node, kernel_bytes)
        rendered = [_group(layer, convolution, memory, group) for group in range(parts)]
        return RenderedLayer(
            tuple(call for each in rendered for call in each.calls),
            tuple(array for each in rendered for array in each.constants),
        )

    return render


def _group(
    layer: LayerContext, convolution: Renderer, memory: _WorkingMemory, group: int
) -> RenderedLayer:
    graph, node = group_layer(layer.graph, layer.node, group)
    source, target = node.inputs[0], node.outputs[0]
    assert layer.scratch_offset_bytes is not None
    places = {source: layer.scratch(), target: layer.scratch(memory.output)}
    own = replace(
        layer,
        graph=graph,
        node=node,
        prefix=f"{layer.prefix}_group_{group}",
        scratch_offset_bytes=layer.scratch_offset_bytes + memory.kernel,
        given_places=places,
    )
    rendered = convolution(own)
    pixels, width, whole = _pixels(graph, layer.graph, source)
    at = _element(layer.place(source), group * width)
    take = copy_call(pixels, width, (whole, width), (at, places[source]))
    pixels, width, whole = _pixels(graph, layer.graph, target)
    at = _element(layer.place(target), group * width)
    put = copy_call(pixels, width, (width, whole), (places[target], at))
    return RenderedLayer((take, *rendered.calls, put), rendered.constants)


def _pixels(part: Graph, graph: Graph, name: str) -> tuple[int, int, int]:
    """Pixels of a tensor, and its channels: those of one group, and all."""
    shape = graph.tensors[name].shape
    return int(np.prod(shape[:-1])), part.tensors[name].shape[-1], shape[-1]


def _element(place: Expression, index: int) -> Expression:
    return Expression(f"{place.text} + {index}") if index else place
