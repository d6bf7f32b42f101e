from __future__ import annotations

import numpy as np

from edgeflow.graph.cost import macs, precision, signature, weight_bytes
from edgeflow.graph.ir import (
    Activation,
    Conv2D,
    Elementwise,
    FullyConnected,
    Mean,
    NoAttributes,
    OpKind,
    Pool2D,
    Quantization,
    Softmax,
    Tensor,
    Window,
)
from tests.graph.builder import GraphBuilder

X = Quantization((0.5,), (3,))
W = Quantization((0.25,), (0,))
B = Quantization((0.125,), (0,))


class Example(GraphBuilder):
    def weighted(
        self,
        kind: OpKind,
        x: Tensor,
        shape: tuple[int, ...],
        attributes: Conv2D | FullyConnected,
        bits: int = 8,
    ) -> None:
        channels = shape[3] if kind is OpKind.DEPTHWISE_CONV_2D else shape[0]
        weights = self.constant(np.ones(shape, np.int8), W, bits)
        bias = self.constant(np.zeros(channels, np.int32), B)
        self.node(kind, [x, weights, bias], attributes, X)

    def costs(self) -> tuple[int, int, str]:
        graph = self.build(self.leaves())
        node = graph.nodes[-1]
        return macs(graph, node), weight_bytes(graph, node), signature(graph, node)


def test_precision_tells_the_bits_of_weights() -> None:
    for bits in (8, 4, 2):
        b = Example()
        x = b.input((1, 8, 8, 3), X)
        b.weighted(OpKind.CONV_2D, x, (16, 3, 3, 3), Conv2D(Window()), bits)
        graph = b.build(b.leaves())
        assert precision(graph, graph.nodes[0]) == f"w{bits}a8"
        assert weight_bytes(graph, graph.nodes[0]) == 16 * 27 * bits // 8 + 16 * 4
    b = Example()
    x = b.input((1, 8, 8, 3), X)
    y = b.node(OpKind.RELU, [x], NoAttributes(), X)
    graph = b.build([y.name])
    assert precision(graph, graph.nodes[0]) == "w8a8"


def test_convolution() -> None:
    b = Example()
    window = Window(2, 2, 0, 1, 0, 1)
    x = b.input((1, 8, 8, 3), X)
    b.weighted(OpKind.CONV_2D, x, (16, 3, 3, 3), Conv2D(window, Activation.RELU))
    assert b.costs() == (
        4 * 4 * 16 * 27,
        16 * 27 + 16 * 4,
        "CONV_2D in=1x8x8x3 out=1x4x4x16 kernel=3x3 stride=2x2 pad=0,1,0,1 act=relu",
    )


def test_depthwise_convolution_with_narrow_weights_and_dilation() -> None:
    b = Example()
    window = Window(dilation_h=2, dilation_w=3)
    x = b.input((1, 8, 8, 3), X)
    b.weighted(OpKind.DEPTHWISE_CONV_2D, x, (1, 3, 1, 6), Conv2D(window), bits=3)
    assert b.costs() == (
        4 * 8 * 18,
        (18 * 3 + 7) // 8 + 6 * 4,
        "DEPTHWISE_CONV_2D in=1x8x8x3 out=1x4x8x6 kernel=3x1 stride=1x1 pad=0,0,0,0 dilation=2x3",
    )


def test_dense_layer() -> None:
    b = Example()
    b.weighted(OpKind.FULLY_CONNECTED, b.input((1, 12), X), (5, 12), FullyConnected())
    assert b.costs() == (60, 60 + 20, "FULLY_CONNECTED in=1x12 out=1x5")


def test_constant_operand_is_part_of_the_signature_and_the_weights() -> None:
    b = Example()
    x = b.input((1, 2, 2, 3), X)
    c = b.constant(np.ones((1, 1, 1, 3), np.int8), X)
    b.node(OpKind.MUL, [x, c], Elementwise(Activation.RELU6), X)
    assert b.costs() == (0, 3, "MUL in=1x2x2x3+const:1x1x1x3 out=1x2x2x3 act=relu6")


def test_operators_without_weights() -> None:
    b = Example()
    x = b.input((1, 4, 4, 2), X)
    pooled = b.node(OpKind.MAX_POOL_2D, [x], Pool2D(2, 2, Window(2, 2)), X)
    assert b.costs()[1:] == (
        0,
        "MAX_POOL_2D in=1x4x4x2 out=1x2x2x2 kernel=2x2 stride=2x2 pad=0,0,0,0",
    )
    mean = b.node(OpKind.MEAN, [pooled], Mean((1, 2)), X)
    assert b.costs()[2] == "MEAN in=1x2x2x2 out=1x2 axes=1,2"
    b.node(OpKind.SOFTMAX, [mean], Softmax(), Quantization((1 / 256,), (-128,)))
    assert b.costs() == (0, 0, "SOFTMAX in=1x2 out=1x2")
