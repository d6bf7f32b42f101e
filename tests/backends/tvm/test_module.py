"""Networks by TVM: the reals of a float network, in vectors of every processor."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from edgeflow.backends.native.elf import read_elf
from edgeflow.backends.tvm.computes import tile
from edgeflow.backends.tvm.module import FUNCTION, libraries, lowered
from edgeflow.backends.tvm.vectors import AVX2, AVX512, Vectors
from edgeflow.devices.processor import this_processor
from edgeflow.errors import UnsupportedOperatorError
from edgeflow.exchange import onnx_plain, tflite
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.ir import (
    Activation,
    Attributes,
    Concatenation,
    Conv2D,
    Elementwise,
    FullyConnected,
    Graph,
    Mean,
    NoAttributes,
    OpKind,
    Pad,
    Pool2D,
    Quantization,
    Softmax,
    Tensor,
    Window,
)
from edgeflow.targets.registry import load
from edgeflow.targets.schema import InstructionSet
from tests.backends.ordinary_networks import ordinary_network
from tests.backends.tvm.presence import needs_tvm
from tests.devices.aarch64 import needs_x86_64
from tests.graph.builder import GraphBuilder
from tests.shared_data import shared_file

pytestmark = [*needs_tvm, *needs_x86_64]
UNITS = [AVX2]
if {"avx512f", "avx512vl", "avx512bw", "avx512dq"} <= this_processor().features:
    UNITS.append(AVX512)
MODELS = ("ic_resnet8_int8", "kws_dscnn_int8", "vww_mobilenet_int8", "ad01_int8")


def _by_tvm(graph: Graph, vectors: Vectors, x: np.ndarray) -> np.ndarray:
    import tvm

    module, constants = lowered(graph, vectors)
    described = {"kind": "llvm", "mcpu": vectors.mcpu, "num-cores": 1}
    function = tvm.tirx.build(module, target=tvm.target.Target(described))[FUNCTION]
    shape = graph.tensors[graph.outputs[0]].shape
    answer = tvm.runtime.tensor(np.full(shape[1:], np.nan, np.float32))
    function(*(tvm.runtime.tensor(array) for array in (x[0], *constants)), answer)
    return answer.numpy()[None]


def _by_onnx_runtime(graph: Graph, x: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(
        onnx_plain.write(graph), providers=["CPUExecutionProvider"]
    )
    (given,) = session.get_inputs()
    x = x.transpose(0, 3, 1, 2) if x.ndim == 4 else x
    (answer,) = session.run(None, {given.name: x.reshape(given.shape)})
    return answer.transpose(0, 2, 3, 1) if answer.ndim == 4 else answer


def _compare(graph: Graph, vectors: Vectors) -> None:
    tensor = graph.tensors[graph.inputs[0]]
    assert tensor.quantization is not None
    codes = np.random.default_rng(0).integers(-128, 128, tensor.shape)
    zero_point, scale = tensor.quantization.zero_points[0], tensor.quantization.scales[0]
    x = ((codes - zero_point) * scale).astype(np.float32)
    expected, answer = _by_onnx_runtime(graph, x), _by_tvm(graph, vectors, x)
    assert answer.shape == expected.shape
    largest = max(float(np.abs(expected).max()), 1e-6)
    np.testing.assert_allclose(answer, expected, rtol=1e-3, atol=1e-4 * largest)


@pytest.mark.parametrize("vectors", UNITS, ids=lambda unit: unit.mcpu)
@pytest.mark.parametrize("name", MODELS)
def test_the_networks_of_mlperf_tiny_answer_as_onnx_runtime_in_float(
    name: str, vectors: Vectors
) -> None:
    graph = tflite.read(shared_file(f"mlperf_tiny/{name}.tflite").read_bytes())
    _compare(canonicalize(graph), vectors)


@pytest.mark.parametrize("vectors", UNITS, ids=lambda unit: unit.mcpu)
@pytest.mark.parametrize("seed", range(12))
def test_random_networks_answer_as_onnx_runtime_in_float(seed: int, vectors: Vectors) -> None:
    _compare(canonicalize(ordinary_network(seed)), vectors)


GRID = Quantization((0.05,), (3,))
Build = Callable[[GraphBuilder, Tensor], Tensor]


def _constant(builder: GraphBuilder, shape: tuple[int, ...], *, bias: bool = False) -> Tensor:
    rng = np.random.default_rng(len(builder.tensors))
    if bias:
        values = rng.integers(-400, 400, shape).astype(np.int32)
        return builder.constant(values, Quantization((0.05 * 0.01,), (0,)))
    return builder.constant(
        rng.integers(-127, 128, shape).astype(np.int8), Quantization((0.01,), (0,))
    )


def _conv(kind: OpKind, shape: tuple[int, ...], window: Window, activation: Activation) -> Build:
    def build(b: GraphBuilder, x: Tensor) -> Tensor:
        units = shape[3] if kind is OpKind.DEPTHWISE_CONV_2D else shape[0]
        inputs = [x, _constant(b, shape), _constant(b, (units,), bias=True)]
        return b.node(kind, inputs, Conv2D(window, activation), GRID)

    return build


def _dense(units: int) -> Build:
    def build(b: GraphBuilder, x: Tensor) -> Tensor:
        flat = b.node(OpKind.RESHAPE, [x], NoAttributes(), GRID, (1, math.prod(x.shape)))
        weights = _constant(b, (units, math.prod(x.shape)))
        inputs = [flat, weights, _constant(b, (units,), bias=True)]
        return b.node(OpKind.FULLY_CONNECTED, inputs, FullyConnected(Activation.RELU), GRID)

    return build


def _with(kind: OpKind, attributes: Attributes, *shape: int) -> Build:
    """An operator of one input, or with a constant of `shape` beside it."""

    def build(b: GraphBuilder, x: Tensor) -> Tensor:
        others = [_constant(b, shape)] if shape else []
        return b.node(kind, [x, *others], attributes, GRID, (1, math.prod(x.shape)))

    return build


def _concatenated(b: GraphBuilder, x: Tensor) -> Tensor:
    relu = b.node(OpKind.RELU, [x], NoAttributes(), GRID)
    return b.node(OpKind.CONCATENATION, [relu, x, relu], Concatenation(3), GRID)


WIDE = Window(2, 1, 1, 2, 3, 0, 1, 2)
CONV, DEPTHWISE = OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D
POOL = Pool2D(3, 2, Window(2, 1, 1, 1, 1, 0), Activation.RELU6)
OPERATORS: dict[str, Build] = {
    "conv": _conv(CONV, (19, 3, 3, 6), WIDE, Activation.RELU),
    "conv of one channel": _conv(CONV, (1, 3, 3, 6), Window(), Activation.NONE),
    "conv of 1x1": _conv(CONV, (40, 1, 1, 6), Window(), Activation.RELU6),
    "conv of many": _conv(CONV, (64, 3, 3, 6), Window(1, 1, 1, 1, 1, 1), Activation.RELU),
    "depthwise": _conv(DEPTHWISE, (1, 3, 3, 6), WIDE, Activation.RELU),
    "depthwise, two for one": _conv(DEPTHWISE, (1, 2, 3, 12), Window(), Activation.NONE),
    "depthwise of 1x1": _conv(DEPTHWISE, (1, 1, 1, 6), Window(2, 2), Activation.NONE),
    "dense": _dense(10),
    "dense of many": _dense(70),
    "add": _with(OpKind.ADD, Elementwise(Activation.RELU), 1, 1, 1, 6),
    "mul": _with(OpKind.MUL, Elementwise(), 1, 7, 10, 6),
    "average pool": _with(OpKind.AVERAGE_POOL_2D, POOL),
    "max pool": _with(OpKind.MAX_POOL_2D, POOL),
    "mean": _with(OpKind.MEAN, Mean((1, 2))),
    "mean, dimensions kept": _with(OpKind.MEAN, Mean((1, 2), keep_dims=True)),
    "pad": _with(OpKind.PAD, Pad(((0, 0), (1, 2), (0, 3), (0, 0)))),
    "reshape": _with(OpKind.RESHAPE, NoAttributes()),
    "concatenation": _concatenated,
    "softmax": lambda b, x: b.node(
        OpKind.SOFTMAX, [x], Softmax(0.7), Quantization((1 / 256,), (-128,))
    ),
    "relu": _with(OpKind.RELU, NoAttributes()),
    "relu6": _with(OpKind.RELU6, NoAttributes()),
    "logistic": lambda b, x: b.node(
        OpKind.LOGISTIC, [x], NoAttributes(), Quantization((1 / 256,), (-128,))
    ),
    "quantize": _with(OpKind.QUANTIZE, NoAttributes()),
}


@pytest.mark.parametrize("vectors", UNITS, ids=lambda unit: unit.mcpu)
@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_answers_as_onnx_runtime_in_float(name: str, vectors: Vectors) -> None:
    builder = GraphBuilder()
    x = builder.input((1, 7, 10, 6), GRID)
    # Before it a layer, so that a graph is never an input alone.
    first = builder.node(OpKind.RELU6, [x], NoAttributes(), GRID)
    last = OPERATORS[name](builder, first)
    _compare(builder.build([last.name]), vectors)


def grouped_network() -> Graph:
    """One convolution of two groups."""
    builder = GraphBuilder()
    x = builder.input((1, 7, 10, 6), GRID)
    last = _conv(CONV, (8, 3, 3, 3), Window(), Activation.NONE)(builder, x)
    return builder.build([last.name])


def test_a_grouped_convolution_is_refused() -> None:
    with pytest.raises(UnsupportedOperatorError, match="grouped"):
        lowered(grouped_network(), AVX2)


@pytest.mark.parametrize(("size", "most", "found"), [(32, 6, 4), (5, 6, 5), (12, 6, 6), (7, 6, 1)])
def test_a_tile_fills_the_row(size: int, most: int, found: int) -> None:
    assert tile(size, most) == found


@pytest.mark.parametrize("name", ["raspberry-pi-4", "jetson-nano", "raspberry-pi-5"])
def test_libraries_for_arm_are_compiled_here_and_not_run(name: str) -> None:
    (library,) = libraries(canonicalize(ordinary_network(0)), load(name))
    found = read_elf(library.code)
    assert found.instruction_set is InstructionSet.AARCH64
    assert library.features == ()


def test_a_library_for_x86_64_is_there_for_processors_with_and_without_avx512() -> None:
    wide, narrow = libraries(canonicalize(ordinary_network(0)), load("linux-x86_64"))
    assert "avx512f" in wide.features
    assert narrow.features == ()
    assert wide.code != narrow.code
