from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from edgeflow.graph.fingerprint import fingerprint
from edgeflow.graph.ir import Activation, Conv2D, Graph, Node, OpKind, Quantization, Tensor, Window
from tests.graph.builder import GraphBuilder

X = Quantization((0.5,), (3,))


def convolution_graph() -> Graph:
    b = GraphBuilder()
    x = b.input((1, 5, 5, 2), X)
    w = b.constant(np.arange(54, dtype=np.int8).reshape(3, 3, 3, 2), Quantization((0.25,), (0,)))
    bias = b.constant(np.zeros(3, np.int32), Quantization((0.125,), (0,)))
    return b.build([b.node(OpKind.CONV_2D, [x, w, bias], Conv2D(Window()), X).name])


def renamed(graph: Graph) -> Graph:
    def new(name: str) -> str:
        return f"renamed/{name}"

    tensors = {new(name): replace(t, name=new(name)) for name, t in graph.tensors.items()}
    nodes = tuple(
        Node(
            new(node.name),
            node.kind,
            tuple(map(new, node.inputs)),
            tuple(map(new, node.outputs)),
            node.attributes,
        )
        for node in graph.nodes
    )
    outputs = tuple(map(new, graph.outputs))
    return Graph("other", tensors, nodes, tuple(map(new, graph.inputs)), outputs)


def changed(index: int, **changes: object) -> Graph:
    graph = convolution_graph()
    name = list(graph.tensors)[index]
    tensor: Tensor = replace(graph.tensors[name], **changes)  # type: ignore[arg-type]
    return replace(graph, tensors={**graph.tensors, name: tensor})


def activated() -> Graph:
    graph = convolution_graph()
    node = replace(graph.nodes[0], attributes=Conv2D(Window(), Activation.RELU))
    return replace(graph, nodes=(node,))


def test_fingerprint_is_a_sha256_and_the_same_for_equal_graphs() -> None:
    first = fingerprint(convolution_graph())
    assert len(first) == 64
    assert set(first) <= set(string.hexdigits.lower())
    assert fingerprint(convolution_graph()) == first


def test_names_do_not_count() -> None:
    graph = convolution_graph()
    assert fingerprint(renamed(graph)) == fingerprint(graph)


def test_unread_tensors_do_not_count() -> None:
    graph = convolution_graph()
    unread = Tensor("unread", (1,), graph.tensors["input0"].dtype, X)
    assert fingerprint(replace(graph, tensors={**graph.tensors, "unread": unread})) == fingerprint(
        graph
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda: changed(1, data=np.zeros((3, 3, 3, 2), np.int8)),
        lambda: changed(1, bits=7),
        lambda: changed(2, data=np.array([0, 0, 1], np.int32)),
        lambda: changed(0, quantization=Quantization((0.5,), (4,))),
        lambda: changed(0, quantization=Quantization((0.5000001,), (3,))),
        lambda: changed(0, shape=(1, 5, 5, 3)),
        activated,
    ],
)
def test_everything_that_changes_results_counts(change: Callable[[], Graph]) -> None:
    assert fingerprint(change()) != fingerprint(convolution_graph())
