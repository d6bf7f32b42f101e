"""The short requantization of dense layers against the graph's arithmetic in double."""

from __future__ import annotations

import numpy as np
import pytest

from edgeflow.backends.firmware.one_multiply import DenseOutputs, dense_outputs
from edgeflow.exchange.tflite import read
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.fixed_point import multiply_as_double
from edgeflow.graph.ir import (
    Activation,
    DType,
    FullyConnected,
    Graph,
    Node,
    OpKind,
    Quantization,
    Tensor,
)
from edgeflow.graph.requantize import fully_connected_requantization
from tests.shared_data import shared_file


def _dense(
    rng: np.random.Generator,
    scales: list[float],
    zero_point: int,
    activation: Activation = Activation.NONE,
    inputs: int = 40,
) -> Graph:
    """A dense layer with an input scale and an output scale of 1, so that `scales` are its own."""
    outputs = len(scales)
    weights = rng.integers(-127, 128, (outputs, inputs), dtype=np.int8)
    bias = rng.integers(-20_000, 20_000, outputs, dtype=np.int32)
    given = tuple(float(np.float32(scale)) for scale in scales)
    zeros = (0,) * outputs
    one = Quantization((1.0,), (-3,))
    tensors = {
        "x": Tensor("x", (1, inputs), DType.INT8, one),
        "w": Tensor("w", (outputs, inputs), DType.INT8, Quantization(given, zeros, 0), weights),
        "b": Tensor("b", (outputs,), DType.INT32, Quantization(given, zeros, 0), bias),
        "y": Tensor("y", (1, outputs), DType.INT8, Quantization((1.0,), (zero_point,))),
    }
    node = Node(
        "dense", OpKind.FULLY_CONNECTED, ("x", "w", "b"), ("y",), FullyConnected(activation)
    )
    return Graph("dense", tensors, (node,), ("x",), ("y",))


def _short(found: DenseOutputs, sums: np.ndarray, sum_shift: int = 0) -> np.ndarray:
    unshifted = found.base + (((sums << sum_shift) * found.multipliers[:, None]) >> 32)
    assert np.all(np.abs(unshifted) < 2**31)
    scaled = unshifted >> found.shift
    return np.clip(np.clip(scaled, -128, 127), found.range.minimum, found.range.maximum)


def _assert_exact(
    graph: Graph, node: Node, found: DenseOutputs, rng: np.random.Generator, sum_shift: int = 0
) -> None:
    """Every sum around every step, the ends of the range, and random ones."""
    values = fully_connected_requantization(graph, node)
    factors = np.array(values.multipliers, np.int64)[:, None]
    shifts = np.array(values.right_shifts, np.int64)[:, None]
    steps = (np.arange(-300, 301) + 0.5) * 2.0**shifts / np.maximum(factors, 1)
    near = np.clip(steps, -(2.0**40), 2.0**40).astype(np.int64)
    near = (near[:, :, None] + np.arange(-3, 4)).reshape(len(factors), -1)
    low, high = found.low[:, None], found.high[:, None]
    drawn = rng.integers(low, high + 1, (len(factors), 500))
    sums = np.concatenate([np.clip(near, low, high), drawn, low, high], axis=1)
    exact = multiply_as_double(sums, factors, shifts) + values.output_zero_point
    expected = np.clip(exact, values.range.minimum, values.range.maximum)
    changing = np.any(found.rows != 0, axis=1)
    assert np.array_equal(_short(found, sums, sum_shift)[changing], expected[changing])


@pytest.mark.parametrize("zero_point", [-128, -7, 0, 127])
@pytest.mark.parametrize("activation", list(Activation))
def test_random_scales_are_exact_around_every_step(zero_point, activation):
    rng = np.random.default_rng(zero_point + 200)
    found_some = 0
    for _ in range(20):
        scales = (2.0 ** rng.uniform(-12, -6, 5)).tolist()
        graph = _dense(rng, scales, zero_point, activation)
        found = dense_outputs(graph, graph.nodes[0])
        if found is not None:
            found_some += 1
            _assert_exact(graph, graph.nodes[0], found, rng)
    assert found_some >= 18


def test_ties_of_scales_that_are_powers_of_two_go_away_from_zero():
    rng = np.random.default_rng(1)
    graph = _dense(rng, [2.0**-9, 2.0**-8, 3 * 2.0**-10], 0)
    found = dense_outputs(graph, graph.nodes[0])
    assert found is not None
    _assert_exact(graph, graph.nodes[0], found, rng)
    ties = np.array([[-256], [-128], [0]])
    assert _short(found, ties)[:2].reshape(-1).tolist() == [-1, -1]


@pytest.mark.parametrize("scale", [1e-12, 1e-38, 3e3])
def test_outputs_that_cannot_change_keep_their_value(scale):
    rng = np.random.default_rng(2)
    graph = _dense(rng, [scale, 2.0**-9], 5)
    graph.tensors["w"].data[0] = 0
    graph.tensors["b"].data[0] = 17
    found = dense_outputs(graph, graph.nodes[0])
    assert found is not None
    assert not found.rows[0].any()
    value = _short(found, found.bias[:, None])[0, 0]
    assert value == (5 if scale < 1 else 127)


def test_outputs_of_one_scale_share_their_multiplier():
    rng = np.random.default_rng(5)
    graph = _dense(rng, [2.0**-9.3] * 300, -7)
    found = dense_outputs(graph, graph.nodes[0])
    assert found is not None
    assert found.share_multiplier
    _assert_exact(graph, graph.nodes[0], found, rng)
    graph = _dense(rng, [2.0**-9.3, 2.0**-8.1], -7)
    found = dense_outputs(graph, graph.nodes[0])
    assert found is not None
    assert not found.share_multiplier


@pytest.mark.parametrize("sum_shift", [4, 6])
@pytest.mark.parametrize("zero_point", [-128, 3])
def test_sums_of_narrow_weights_are_exact_at_larger_scales(sum_shift, zero_point):
    rng = np.random.default_rng(sum_shift)
    found_some = 0
    for _ in range(20):
        scales = (2.0 ** rng.uniform(-6, sum_shift - 3, 5)).tolist()
        graph = _dense(rng, scales, zero_point, inputs=9)
        graph.tensors["w"].data[:] >>= sum_shift
        graph.tensors["b"].data[:] >>= 8
        found = dense_outputs(graph, graph.nodes[0], sum_shift)
        if found is not None:
            found_some += 1
            _assert_exact(graph, graph.nodes[0], found, rng, sum_shift)
    assert found_some >= 15


def test_scales_from_a_half_on_have_no_short_form():
    graph = _dense(np.random.default_rng(3), [0.75, 2.0**-9], 0)
    assert dense_outputs(graph, graph.nodes[0]) is None


@pytest.mark.parametrize(
    "name", ["ad01_int8", "ic_resnet8_int8", "kws_dscnn_int8", "vww_mobilenet_int8", "sww_int8"]
)
def test_the_dense_layers_of_mlperf_tiny_have_the_short_form(name):
    graph = canonicalize(read(shared_file(f"{name}.tflite").read_bytes()))
    dense = [node for node in graph.nodes if node.kind is OpKind.FULLY_CONNECTED]
    assert dense
    for node in dense:
        found = dense_outputs(graph, node)
        assert found is not None
        _assert_exact(graph, node, found, np.random.default_rng(4))
