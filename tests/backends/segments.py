"""Segments for tests: parts of a graph that can run row by row, drawn by a seed."""

from __future__ import annotations

import numpy as np

from edgeflow.backends.firmware.rows import height, row_window
from edgeflow.backends.firmware.segment import Segment
from edgeflow.graph.checker import check
from edgeflow.graph.ir import Conv2D, Elementwise, Graph, OpKind, Quantization, Tensor, Window
from tests.graph.builder import GraphBuilder


def drawn_segments(graph: Graph, seed: int) -> tuple[Segment, ...]:
    """Each run of layers that can, cut at random, with 1 to 4 rows at a time."""
    rng = np.random.default_rng(seed)
    segments: list[Segment] = []
    first = None
    for index, node in enumerate([*graph.nodes, None]):
        streams = node is not None and row_window(graph, node) is not None
        if first is not None and (not streams or rng.random() < 0.15):
            segments.append(Segment(first, index - 1, int(rng.integers(1, 5))))
            first = None
        if streams and first is None and rng.random() < 0.8:
            first = index
    return tuple(segments)


def whole_segments(graph: Graph, rows: int) -> tuple[Segment, ...]:
    """Every longest run of layers that can, of tensors higher than a row."""
    segments: list[Segment] = []
    for index, node in enumerate(graph.nodes):
        if row_window(graph, node) is None or height(graph.tensors[node.outputs[0]]) == 1:
            continue
        if segments and segments[-1].last == index - 1:
            segments[-1] = Segment(segments[-1].first, index, rows)
        else:
            segments.append(Segment(index, index, rows))
    return tuple(segments)


SIDE, CHANNELS = 12, 4
UNIT = Quantization((2.0**-4,), (0,))


def convolution(builder: GraphBuilder, x: Tensor, stride: int = 1) -> Tensor:
    """3x3 with padding, CHANNELS to CHANNELS."""
    rng = np.random.default_rng(0)
    scales = Quantization((2.0**-7,) * CHANNELS, (0,) * CHANNELS, 0)
    weights = rng.integers(-99, 99, (CHANNELS, 3, 3, CHANNELS), dtype=np.int8)
    products = Quantization((2.0**-11,) * CHANNELS, (0,) * CHANNELS, 0)
    w = builder.constant(weights, scales)
    b = builder.constant(np.zeros(CHANNELS, np.int32), products)
    window = Window(stride, stride, 1, 1, 1, 1)
    return builder.node(OpKind.CONV_2D, [x, w, b], Conv2D(window), UNIT)


def residual_block() -> Graph:
    """x -> first -> second, third, third + first."""
    builder = GraphBuilder()
    x = builder.input((1, SIDE, SIDE, CHANNELS), UNIT)
    first = convolution(builder, x)
    second = convolution(builder, first)
    third = convolution(builder, second)
    y = builder.node(OpKind.ADD, [third, first], Elementwise(), UNIT)
    graph = builder.build([y.name])
    check(graph)
    return graph
