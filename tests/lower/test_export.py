"""Structure of lowered graphs, and what cannot be lowered."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeflow.errors import DataError, ModelError, UnsupportedOperatorError
from edgeflow.graph.ir import (
    Activation,
    Conv2D,
    DType,
    FullyConnected,
    Graph,
    Mean,
    Node,
    OpKind,
    Pool2D,
    Window,
)
from edgeflow.lower.export import lower
from edgeflow.quantize.post_training import quantize_post_training
from edgeflow.quantize.trace import trace
from tests.lower.networks import NETWORKS, Composed, make_inputs, make_network


def lowered(network: nn.Module) -> Graph:
    return lower(network.eval(), make_inputs(16).numpy())


def only(graph: Graph, kind: OpKind) -> Node:
    (node,) = [node for node in graph.nodes if node.kind is kind]
    return node


def kinds(graph: Graph) -> list[OpKind]:
    return [node.kind for node in graph.nodes]


def test_activations_fuse_and_means_lose_their_flatten() -> None:
    graph = lowered(make_network("depthwise_relu6"))
    assert kinds(graph) == [
        OpKind.CONV_2D,
        OpKind.DEPTHWISE_CONV_2D,
        OpKind.MEAN,
        OpKind.FULLY_CONNECTED,
    ]
    first, second, mean, last = graph.nodes
    for node in (first, second):
        assert isinstance(node.attributes, Conv2D)
        assert node.attributes.activation is Activation.RELU6
    assert isinstance(mean.attributes, Mean)
    assert (mean.attributes.axes, mean.attributes.keep_dims) == ((1, 2), False)
    assert isinstance(last.attributes, FullyConnected)
    assert [node.name for node in graph.nodes] == ["0.0", "2.0", "4", "6"]
    assert second.inputs == ("1", "2.0.weights", "2.0.bias")
    assert graph.tensors["2.0.weights"].shape == (1, 3, 3, 12)
    assert graph.tensors["2.0.bias"].dtype is DType.INT32
    assert (graph.inputs, graph.outputs) == (("input",), ("6",))
    assert graph.tensors["input"].shape == (1, 8, 8, 3)


def test_a_value_read_before_its_activation_keeps_the_activation_apart() -> None:
    graph = lowered(make_network("value_before_and_after_relu"))
    assert kinds(graph) == [OpKind.CONV_2D, OpKind.RELU, OpKind.ADD, OpKind.CONV_2D]


def test_sigmoid_is_requantized_before_a_concatenation() -> None:
    graph = lowered(make_network("branches"))
    quantize = only(graph, OpKind.QUANTIZE)
    assert quantize.inputs == ("sigmoid",)
    assert only(graph, OpKind.CONCATENATION).inputs[1] == quantize.outputs[0]


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_lowering_twice_gives_the_same_graph(name: str) -> None:
    first, second = (lowered(make_network(name)) for _ in range(2))
    assert first.nodes == second.nodes
    assert list(first.tensors) == list(second.tensors)
    for a, b in zip(first.tensors.values(), second.tensors.values(), strict=True):
        assert (a.shape, a.quantization, a.bits) == (b.shape, b.quantization, b.bits)
        assert (a.data is None) == (b.data is None)
        if a.data is not None:
            np.testing.assert_array_equal(a.data, b.data)


def test_padding_beyond_the_last_window_is_dropped() -> None:
    graph = lowered(nn.Conv2d(3, 2, 3, stride=2, padding=1))
    node = only(graph, OpKind.CONV_2D)
    assert isinstance(node.attributes, Conv2D)
    assert node.attributes.window == Window(2, 2, pad_top=1, pad_left=1)


def test_ceil_mode_pads_the_far_end() -> None:
    graph = lowered(nn.MaxPool2d(3, 2, ceil_mode=True))
    node = only(graph, OpKind.MAX_POOL_2D)
    assert isinstance(node.attributes, Pool2D)
    assert node.attributes.window == Window(2, 2, pad_bottom=1, pad_right=1)


def test_a_centred_max_pool_after_relu_is_padded_apart() -> None:
    graph = lowered(nn.Sequential(nn.ReLU(), nn.MaxPool2d(3, 2, 1)))
    assert kinds(graph) == [OpKind.RELU, OpKind.PAD, OpKind.MAX_POOL_2D]
    pool = only(graph, OpKind.MAX_POOL_2D)
    assert isinstance(pool.attributes, Pool2D)
    assert pool.attributes.window == Window(2, 2)


def test_a_centred_max_pool_of_signed_values_keeps_its_padding() -> None:
    graph = lowered(nn.MaxPool2d(3, 2, 1))
    assert kinds(graph) == [OpKind.MAX_POOL_2D]


def test_trainable_quantizers_are_frozen_on_the_way() -> None:
    x = make_inputs(16)
    student = quantize_post_training(trace(make_network("flatten_of_area"), x), x, 8)
    graph = lower(student, x.numpy())
    assert all(t.quantization is not None for t in graph.tensors.values())


def test_a_flattened_feature_map_must_meet_a_linear_layer() -> None:
    with pytest.raises(UnsupportedOperatorError, match="flattened") as caught:
        lowered(nn.Sequential(nn.Conv2d(3, 2, 1), nn.Flatten()))
    assert "linear" in caught.value.hint


def test_adding_a_flattened_map_to_a_plain_vector_is_refused() -> None:
    def compute(m: nn.Module, x: Tensor) -> Tensor:
        return m.head(x.flatten(1) + m.side(x.mean((2, 3))))

    network = Composed(compute, side=nn.Linear(3, 192), head=nn.Linear(192, 2))
    with pytest.raises(UnsupportedOperatorError, match="flattened"):
        lowered(network)


def test_a_reshape_that_moves_elements_is_refused() -> None:
    with pytest.raises(UnsupportedOperatorError, match="moves elements"):
        lowered(nn.Sequential(nn.Flatten(), nn.Linear(192, 12), nn.Unflatten(1, (3, 2, 2))))


def test_a_vector_may_become_a_map_of_one_element() -> None:
    def compute(m: nn.Module, x: Tensor) -> Tensor:
        gate = torch.sigmoid(m.gate(x.mean((2, 3)))).view(x.shape[0], 3, 1, 1)
        return functional.relu(x * gate)

    graph = lowered(Composed(compute, gate=nn.Linear(3, 3)))
    assert kinds(graph)[-2:] == [OpKind.RESHAPE, OpKind.MUL]


def test_a_network_that_does_nothing_is_refused() -> None:
    with pytest.raises(ModelError, match="does nothing"):
        lowered(nn.Dropout())


@pytest.mark.parametrize("bad", [np.empty((0, 3, 8, 8)), np.full((2, 3, 8, 8), np.nan)])
def test_calibration_inputs_must_exist_and_be_finite(bad: np.ndarray) -> None:
    with pytest.raises(DataError, match="calibration"):
        lower(make_network("pools"), bad.astype(np.float32))
