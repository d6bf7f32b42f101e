"""Channels that cannot change leave the graph, and its outputs stay the same to the bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.channel_bounds import channel_bounds
from edgeflow.graph.checker import check
from edgeflow.graph.constant_channels import without_constant_channels
from edgeflow.graph.cost import macs
from edgeflow.graph.interpreter import run, run_batch, trace
from edgeflow.graph.ir import (
    Activation,
    Conv2D,
    Elementwise,
    FullyConnected,
    Graph,
    NoAttributes,
    OpKind,
    Quantization,
    Tensor,
    Window,
)
from tests.backends.ordinary_networks import ordinary_network
from tests.graph.builder import GraphBuilder
from tests.graph.strategies import Dialect, graph_and_input, graphs

_RELU = Quantization((2.0**-5,), (-128,))
_SAME = Window(pad_top=1, pad_bottom=1, pad_left=1, pad_right=1)


def _macs(graph: Graph) -> int:
    return sum(macs(graph, node) for node in graph.nodes)


def _random_input(graph: Graph, count: int = 4) -> np.ndarray:
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    return np.random.default_rng(0).integers(-128, 128, (count, *shape), dtype=np.int8)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(case=graph_and_input(graphs(max_nodes=8, dialect=Dialect.EDGEFLOW).map(canonicalize)))
def test_random_graphs_answer_the_same_and_every_value_is_within_its_bounds(case):
    graph, inputs = case
    narrow = without_constant_channels(graph)
    check(narrow)
    expected = run(graph, inputs)
    for name, answer in run(narrow, inputs).items():
        assert np.array_equal(answer, expected[name])
    bounds = channel_bounds(graph)
    for name, values in trace(graph, inputs).items():
        assert np.all(values >= bounds[name].low)
        assert np.all(values <= bounds[name].high)


def test_networks_with_dead_filters_answer_the_same_with_less_work():
    smaller = 0
    for seed in range(60):
        graph = ordinary_network(seed, layers=6)
        narrow = without_constant_channels(graph)
        check(narrow)
        x = _random_input(graph)
        assert np.array_equal(run_batch(graph, x), run_batch(narrow, x)), seed
        smaller += _macs(narrow) < _macs(graph)
    assert smaller > 20


def _weights(
    builder: GraphBuilder, kind: OpKind, x: Tensor, outputs: int, dead: list[int], value: int
) -> tuple[Tensor, Tensor]:
    """Random weights but for dead channels, whose output is `value` steps above the zero point."""
    rng = np.random.default_rng(outputs)
    if kind is OpKind.DEPTHWISE_CONV_2D:
        shape: tuple[int, ...] = (1, 3, 3, outputs)
    else:
        shape = (
            (outputs, x.shape[-1])
            if kind is OpKind.FULLY_CONNECTED
            else (outputs, 1, 1, x.shape[-1])
        )
    weights = rng.integers(-127, 128, shape, dtype=np.int8)
    bias = rng.integers(0, 2000, outputs, dtype=np.int32)
    channels = weights if kind is OpKind.DEPTHWISE_CONV_2D else np.moveaxis(weights, 0, -1)
    channels[..., dead] = 0
    bias[dead] = 256 * value
    unit = Quantization((2.0**-8,), (0,))
    return builder.constant(weights, unit), builder.constant(bias, Quantization((2.0**-13,), (0,)))


def _separable(value: int, window: Window) -> Graph:
    """1x1 to 8 channels of which 3 are dead, 3x3 depthwise, 1x1."""
    builder = GraphBuilder()
    x = builder.input((1, 5, 5, 4), _RELU)
    for kind, outputs, dead in (
        (OpKind.CONV_2D, 8, [0, 3, 7]),
        (OpKind.DEPTHWISE_CONV_2D, 8, [5]),
        (OpKind.CONV_2D, 6, []),
    ):
        constants = _weights(builder, kind, x, outputs, dead, value)
        shape = window if kind is OpKind.DEPTHWISE_CONV_2D else Window()
        x = builder.node(kind, [x, *constants], Conv2D(shape, Activation.RELU), _RELU)
    return builder.build([x.name])


def test_a_dead_filter_takes_its_depthwise_filter_and_its_weights_along():
    graph = _separable(0, _SAME)
    narrow = without_constant_channels(graph)
    shapes = [narrow.tensors[node.outputs[0]].shape[-1] for node in narrow.nodes]
    assert shapes == [5, 5, 6]
    assert [narrow.tensors[node.inputs[1]].shape for node in narrow.nodes] == [
        (5, 1, 1, 4),
        (1, 3, 3, 5),
        (6, 1, 1, 5),
    ]
    x = _random_input(graph)
    assert np.array_equal(run_batch(graph, x), run_batch(narrow, x))


@pytest.mark.parametrize(("window", "channels"), [(_SAME, 8), (Window(), 5)])
def test_a_constant_that_padding_makes_vary_stays(window, channels):
    graph = _separable(9, window)
    narrow = without_constant_channels(graph)
    assert narrow.tensors[narrow.nodes[0].outputs[0]].shape[-1] == channels
    x = _random_input(graph)
    assert np.array_equal(run_batch(graph, x), run_batch(narrow, x))


def test_a_sum_loses_a_channel_only_where_both_sides_do():
    builder = GraphBuilder()
    x = builder.input((1, 4, 4, 4), _RELU)
    sides = []
    for dead in ([1, 2], [2, 3]):
        constants = _weights(builder, OpKind.CONV_2D, x, 4, dead, 3)
        sides.append(
            builder.node(OpKind.CONV_2D, [x, *constants], Conv2D(Window(), Activation.RELU), _RELU)
        )
    y = builder.node(OpKind.ADD, sides, Elementwise(), Quantization((2.0**-4,), (-128,)))
    constants = _weights(builder, OpKind.CONV_2D, y, 2, [], 0)
    y = builder.node(OpKind.CONV_2D, [y, *constants], Conv2D(Window()), _RELU)
    graph = builder.build([y.name])
    narrow = without_constant_channels(graph)
    assert [narrow.tensors[node.outputs[0]].shape[-1] for node in narrow.nodes] == [3, 3, 3, 2]
    x = _random_input(graph)
    assert np.array_equal(run_batch(graph, x), run_batch(narrow, x))


def test_a_network_that_is_all_dead_keeps_one_channel_of_each_tensor():
    builder = GraphBuilder()
    x = builder.input((1, 2, 2, 3), _RELU)
    constants = _weights(builder, OpKind.CONV_2D, x, 4, [0, 1, 2, 3], 5)
    y = builder.node(OpKind.CONV_2D, [x, *constants], Conv2D(Window(), Activation.RELU), _RELU)
    y = builder.node(OpKind.RESHAPE, [y], NoAttributes(), _RELU, shape=(1, 16))
    constants = _weights(builder, OpKind.FULLY_CONNECTED, y, 2, [], 0)
    y = builder.node(OpKind.FULLY_CONNECTED, [y, *constants], FullyConnected(), _RELU)
    graph = builder.build([y.name])
    narrow = without_constant_channels(graph)
    check(narrow)
    assert narrow.tensors[narrow.nodes[0].outputs[0]].shape == (1, 2, 2, 1)
    x = _random_input(graph)
    assert np.array_equal(run_batch(graph, x), run_batch(narrow, x))


def test_constants_that_two_nodes_share_are_narrowed_for_each():
    graph = _separable(0, _SAME)
    second = graph.nodes[2]
    output = graph.tensors[second.outputs[0]]
    twice = replace(output, name="twice")
    again = replace(second, name="again", outputs=("twice",))
    both = replace(
        graph,
        tensors={**graph.tensors, "twice": twice},
        nodes=(*graph.nodes, again),
        outputs=(output.name, "twice"),
    )
    narrow = without_constant_channels(both)
    check(narrow)
    inputs = {both.inputs[0]: _random_input(both)}
    expected = run(both, inputs)
    for name, answer in run(narrow, inputs).items():
        assert np.array_equal(answer, expected[name])


def test_a_graph_without_constant_channels_is_left_as_it_is():
    builder = GraphBuilder()
    x = builder.input((1, 4, 4, 4), _RELU)
    constants = _weights(builder, OpKind.CONV_2D, x, 4, [], 0)
    y = builder.node(OpKind.CONV_2D, [x, *constants], Conv2D(Window()), _RELU)
    graph = builder.build([y.name])
    narrow = without_constant_channels(graph)
    assert narrow.nodes == graph.nodes
    assert dict(narrow.tensors) == dict(graph.tensors)
