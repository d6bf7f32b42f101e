"""The whole accelerator in simulation, byte stream in and out, against the interpreter."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.reference_networks import dense_digits
from edgeflow.backends.fpga.network import network_of
from edgeflow.backends.fpga.verilog import design_of
from edgeflow.backends.fpga.weights import banks_of
from edgeflow.devices.verilator import lint, simulate
from edgeflow.errors import DataError, UnsupportedOperatorError
from edgeflow.exchange import tflite
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.interpreter import trace
from edgeflow.graph.ir import (
    Conv2D,
    FullyConnected,
    Graph,
    OpKind,
    Quantization,
    Tensor,
    Window,
)
from tests.backends.fpga.presence import needs_verilator
from tests.backends.ordinary_networks import ordinary_network
from tests.graph.builder import GraphBuilder
from tests.shared_data import shared_file

pytestmark = needs_verilator
HALF = 17


def _check(
    graph: Graph, lanes: int, rows: int, half: int = HALF, soft_lanes: bool = False
) -> float:
    """Answers and cycles as planned; gives useful products for each lane and cycle."""
    network = network_of(graph, lanes, 2 * half)
    design = design_of(network, half, soft_lanes)
    shape = graph.tensors[graph.inputs[0]].shape
    inputs = np.random.default_rng(1).integers(-128, 128, (rows, *shape[1:]), dtype=np.int8)
    found = simulate(design, inputs)
    expected = trace(graph, {graph.inputs[0]: inputs})[network.answer].reshape(rows, -1)
    assert np.array_equal(found.answers, expected)
    assert (found.cycles == design.cycles).all()
    assert (found.input_cycles == design.given_bytes).all()
    return design.macs_per_lane_and_cycle


# Seeds whose networks hold every operator that the accelerator has, tables and pooling too.
@pytest.mark.parametrize(("seed", "lanes"), [(1, 8), (2, 16), (6, 4), (10, 8), (18, 4), (21, 4)])
def test_random_networks_are_exact_to_the_bit_and_the_cycle(seed: int, lanes: int) -> None:
    _check(canonicalize(ordinary_network(seed)), lanes, 3)


def test_weights_in_several_banks_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeflow.backends.fpga.weights.BANK_WORDS", 64)
    # 608 words, the last bank shorter than the others.
    assert len(banks_of(608)) == 10
    _check(dense_digits(), 4, 3)
    lint(design_of(network_of(dense_digits(), 4), HALF))


def test_the_keyword_network_of_mlperf_tiny_is_exact() -> None:
    model = shared_file("mlperf_tiny/kws_dscnn_int8.tflite").read_bytes()
    assert _check(canonicalize(tflite.read(model)), 16, 2) > 0.9


@pytest.mark.parametrize(
    "name",
    ["ic_resnet8_int8", "kws_dscnn_int8", "vww_mobilenet_int8", "ad01_int8", "sww_int8"],
)
def test_the_networks_of_mlperf_tiny_have_exact_constants(name: str) -> None:
    graph = canonicalize(tflite.read(shared_file(f"mlperf_tiny/{name}.tflite").read_bytes()))
    network = network_of(graph, 16)
    assert len(network.layers) == len(network.scalings)
    assert all((each.multipliers >= 0).all() for each in network.scalings)


def _layer(builder: GraphBuilder, x: Tensor, kind: OpKind, weights: np.ndarray) -> Tensor:
    rng = np.random.default_rng(7)
    scales = tuple(float(np.float32(s)) for s in rng.uniform(0.002, 0.01, len(weights)))
    depthwise = kind is OpKind.DEPTHWISE_CONV_2D
    axis = Quantization(scales, (0,) * len(scales), 3 if depthwise else 0)
    weights = weights.transpose(3, 1, 2, 0) if depthwise else weights
    assert x.quantization is not None
    biases = tuple(float(np.float32(s * x.quantization.scales[0])) for s in scales)
    bias = rng.integers(-900, 900, len(scales)).astype(np.int32)
    constants = [
        builder.constant(weights.astype(np.int8), axis),
        builder.constant(bias, Quantization(biases, (0,) * len(biases), 0)),
    ]
    around = Window(pad_top=1, pad_bottom=1, pad_left=1, pad_right=1)
    attributes = FullyConnected() if kind is OpKind.FULLY_CONNECTED else Conv2D(around)
    return builder.node(kind, [x, *constants], attributes, Quantization((0.125,), (-4,)))


def _weights(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(-127, 128, shape)


def _digits() -> Graph:
    """64-32-10."""
    builder = GraphBuilder()
    x = builder.input((1, 64), Quantization((0.0625,), (-128,)))
    for shape in ((32, 64), (10, 32)):
        x = _layer(builder, x, OpKind.FULLY_CONNECTED, _weights(*shape))
    return builder.build([x.name])


def _convolution() -> Graph:
    """3x3 over 16 channels."""
    builder = GraphBuilder()
    x = builder.input((1, 12, 12, 16), Quantization((0.0625,), (3,)))
    x = _layer(builder, x, OpKind.CONV_2D, _weights(16, 3, 3, 16))
    return builder.build([x.name])


def _several_outputs_of_one_channel() -> Graph:
    """A depthwise layer with twelve outputs for its only channel."""
    builder = GraphBuilder()
    x = builder.input((1, 9, 7, 1), Quantization((0.0625,), (-20,)))
    x = _layer(builder, x, OpKind.DEPTHWISE_CONV_2D, _weights(12, 3, 3, 1))
    return builder.build([x.name])


def test_a_single_channel_may_have_several_outputs() -> None:
    _check(_several_outputs_of_one_channel(), 8, 2)


@pytest.mark.parametrize(
    ("graph", "lanes"), [(_digits(), 4), (_digits(), 8), (_convolution(), 8), (_convolution(), 16)]
)
def test_lanes_are_busy_in_four_of_five_cycles(graph: Graph, lanes: int) -> None:
    assert _check(graph, lanes, 2) >= 0.8


@pytest.mark.parametrize("bits", [8, 5, 3])
def test_lanes_in_logic_beside_smaller_multipliers_are_exact_too(bits: int) -> None:
    _check(dense_digits(bits), 4, 2, half=15, soft_lanes=True)


def test_the_verilog_is_clean() -> None:
    lint(design_of(network_of(_convolution(), 8), HALF))
    lint(design_of(network_of(canonicalize(ordinary_network(10)), 4), HALF))


def test_what_the_accelerator_lacks_is_refused() -> None:
    with pytest.raises(UnsupportedOperatorError, match="several outputs for each input channel"):
        network_of(canonicalize(ordinary_network(0)), 4)


def test_rows_of_another_size_are_refused() -> None:
    design = design_of(network_of(_digits(), 4), HALF)
    with pytest.raises(DataError, match="64 bytes"):
        simulate(design, np.zeros((2, 63), np.int8))
