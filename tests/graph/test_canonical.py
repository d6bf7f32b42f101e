from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from numpy.typing import NDArray

from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.checker import check
from edgeflow.graph.interpreter import run
from edgeflow.graph.ir import (
    Concatenation,
    Conv2D,
    Graph,
    NoAttributes,
    OpKind,
    Pad,
    Pool2D,
    Quantization,
    Tensor,
    Window,
)
from tests.graph.builder import GraphBuilder
from tests.graph.strategies import Dialect, graph_and_input, graphs

X = Quantization((0.5,), (3,))


def convolution(b: GraphBuilder, x: Tensor, window: Window) -> Tensor:
    weights = b.constant(np.ones((2, 3, 3, x.shape[3]), np.int8), Quantization((0.25,), (0,)))
    bias = b.constant(np.zeros(2, np.int32), Quantization((0.125,), (0,)))
    return b.node(OpKind.CONV_2D, [x, weights, bias], Conv2D(window), X)


def spatial_pad(b: GraphBuilder, x: Tensor) -> Tensor:
    return b.node(OpKind.PAD, [x], Pad(((0, 0), (1, 2), (3, 0), (0, 0))), X)


def kinds(graph: Graph) -> list[OpKind]:
    return [node.kind for node in graph.nodes]


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(graph_and_input(graphs(max_nodes=8, max_outputs=3, dialect=Dialect.EDGEFLOW), batch=2))
def test_canonical_form_computes_the_same_and_is_its_own_canonical_form(
    drawn: tuple[Graph, dict[str, NDArray[np.int8]]],
) -> None:
    graph, inputs = drawn
    canonical = canonicalize(graph)
    check(canonical)
    expected, actual = run(graph, inputs), run(canonical, inputs)
    for name in graph.outputs:
        np.testing.assert_array_equal(actual[name], expected[name])
    again = canonicalize(canonical)
    assert again.nodes == canonical.nodes
    assert again.tensors == canonical.tensors


def test_pad_becomes_the_padding_of_the_convolution_after_it() -> None:
    b = GraphBuilder()
    y = convolution(b, spatial_pad(b, b.input((1, 4, 4, 1), X)), Window(pad_top=1))
    canonical = canonicalize(b.build([y.name]))
    assert kinds(canonical) == [OpKind.CONV_2D]
    attributes = canonical.nodes[0].attributes
    assert isinstance(attributes, Conv2D)
    assert attributes.window == Window(pad_top=2, pad_bottom=2, pad_left=3)
    assert "pad0_output" not in canonical.tensors


def test_pad_that_a_pooling_reads_too_stays() -> None:
    b = GraphBuilder()
    padded = spatial_pad(b, b.input((1, 4, 4, 1), X))
    y = convolution(b, padded, Window())
    z = b.node(OpKind.MAX_POOL_2D, [padded], Pool2D(2, 2, Window()), X)
    graph = b.build([y.name, z.name])
    assert kinds(canonicalize(graph)) == kinds(graph)


def test_pad_that_is_an_output_stays() -> None:
    b = GraphBuilder()
    padded = spatial_pad(b, b.input((1, 4, 4, 1), X))
    graph = b.build([convolution(b, padded, Window()).name, padded.name])
    assert kinds(canonicalize(graph)) == kinds(graph)


def test_pad_of_channels_stays() -> None:
    b = GraphBuilder()
    x = b.input((1, 4, 4, 1), X)
    padded = b.node(OpKind.PAD, [x], Pad(((0, 0), (0, 0), (0, 0), (0, 1))), X)
    graph = b.build([convolution(b, padded, Window()).name])
    assert kinds(canonicalize(graph)) == kinds(graph)


def test_operators_that_change_nothing_are_left_out() -> None:
    b = GraphBuilder()
    x = b.input((1, 4), X)
    same = b.node(OpKind.RESHAPE, [x], NoAttributes(), X, (1, 4))
    alone = b.node(OpKind.CONCATENATION, [same], Concatenation(1), X)
    unpadded = b.node(OpKind.PAD, [alone], Pad(((0, 0), (0, 0))), X)
    y = b.node(OpKind.RELU, [unpadded], NoAttributes(), X)
    canonical = canonicalize(b.build([y.name]))
    assert kinds(canonical) == [OpKind.RELU]
    assert canonical.nodes[0].inputs == ("input0",)


def test_nodes_and_tensors_that_nobody_reads_are_left_out() -> None:
    b = GraphBuilder()
    x = b.input((1, 4), X)
    y = b.node(OpKind.RELU, [x], NoAttributes(), X)
    b.node(OpKind.RELU6, [x], NoAttributes(), X)
    graph = Graph("graph", b.tensors, tuple(b.nodes), ("input0",), (y.name,))
    canonical = canonicalize(replace(graph, tensors={**graph.tensors}))
    assert kinds(canonical) == [OpKind.RELU]
    assert set(canonical.tensors) == {"input0", y.name}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs(max_nodes=8, max_inputs=2, max_outputs=3))
def test_the_canonical_form_of_a_canonical_form_is_itself(graph: Graph) -> None:
    once = canonicalize(graph)
    assert canonicalize(once).nodes == once.nodes
