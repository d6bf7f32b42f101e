from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from edgeflow.exchange.tflite import read, write
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.fingerprint import fingerprint
from edgeflow.graph.ir import Conv2D, Graph, OpKind, Window
from tests.exchange.tflite_graphs import GraphBuilder, every_operator, with_tensor
from tests.graph.strategies import graphs

SLOW_DRAWS = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def assert_round_trip_is_exact(graph: Graph) -> None:
    data = write(graph)
    canonical = canonicalize(graph)
    back = read(data)
    assert fingerprint(back) == fingerprint(canonical)
    assert back.nodes == canonical.nodes
    assert (back.name, back.inputs, back.outputs) == (
        canonical.name,
        canonical.inputs,
        canonical.outputs,
    )
    assert write(back) == write(canonical)


def test_a_graph_of_every_operator_comes_back() -> None:
    assert_round_trip_is_exact(every_operator())


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW_DRAWS)
@given(graphs(max_nodes=8, max_inputs=2, max_outputs=3))
def test_random_graphs_come_back(graph: Graph) -> None:
    assert_round_trip_is_exact(graph)


@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (1, 1, 1, 1), (0, 1, 0, 1), (2, 0, 1, 3)])
@pytest.mark.parametrize("stride", [1, 2])
def test_paddings_of_convolutions_come_back(pads: tuple[int, int, int, int], stride: int) -> None:
    b = GraphBuilder()
    x = b.activation("x", (1, 7, 6, 2))
    window = Window(stride, stride, *pads)
    y = b.conv(x, "y", 3, (3, 3), Conv2D(window))
    graph = b.graph((x,), (y,))
    assert_round_trip_is_exact(graph)
    (node,) = read(write(graph)).nodes
    assert node.kind is OpKind.CONV_2D
    assert node.attributes == Conv2D(window)


def test_node_names_and_widths_of_narrow_weights_come_back() -> None:
    b = GraphBuilder()
    x = b.activation("x", (1, 4, 4, 2))
    y = b.conv(x, "y", 3, (3, 3), Conv2D(Window()))
    graph = b.graph((x,), (y,))
    weights = graph.tensors["y/weights"]
    assert weights.data is not None
    graph = with_tensor(graph, "y/weights", data=weights.data % 4, bits=3)
    named = Graph(
        graph.name,
        graph.tensors,
        tuple(type(n)("stem", n.kind, n.inputs, n.outputs, n.attributes) for n in graph.nodes),
        graph.inputs,
        graph.outputs,
    )
    assert_round_trip_is_exact(named)
    back = read(write(named))
    assert back.tensors["y/weights"].bits == 3
    assert back.nodes[0].name == "stem"
