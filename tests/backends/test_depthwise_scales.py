"""Depthwise layers of which some channels have scales of 1/2 and more, as training leaves them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeflow.backends.firmware.codegen import generate
from edgeflow.backends.firmware.toolchain import build_image
from edgeflow.devices.device import DeviceRun, RunLimits
from edgeflow.devices.registry import device_for
from edgeflow.graph.checker import check
from edgeflow.graph.interpreter import run_batch
from edgeflow.graph.ir import Conv2D, Graph, OpKind, Quantization
from edgeflow.graph.ir import Window as GraphWindow
from edgeflow.targets.registry import load
from edgeflow.targets.schema import KernelSet
from tests.backends.host_model import assert_layers_match, compile_models
from tests.backends.kernel_sets import KERNEL_SETS
from tests.graph.builder import GraphBuilder

_SIDE, _CHANNELS = 9, 16
_SHAPES = [(3, 1, 1), (3, 2, 1), (3, 3, 1), (5, 1, 1), (3, 1, 2)]  # kernel, stride, multiplier


def _layer(kernel: int, stride: int, multiplier: int, large: tuple[int, ...]) -> Graph:
    """One layer; the channels `large` have scales between 1/2 and 100, the others below 1/100."""
    rng = np.random.default_rng(kernel + stride)
    channels = _CHANNELS * multiplier
    scales = rng.uniform(0.001, 0.01, channels)
    weights = rng.integers(-127, 128, (1, kernel, kernel, channels)).astype(np.int8)
    for index in large:
        scales[index] = rng.uniform(0.5, 100)
        weights[..., index] = rng.integers(-1, 2, (1, kernel, kernel))
    b = GraphBuilder()
    x = b.input((1, _SIDE, _SIDE, _CHANNELS), Quantization((1.0,), (-3,)))
    stated = tuple(float(np.float32(scale)) for scale in scales)
    zeros = (0,) * channels
    w = b.constant(weights, Quantization(stated, zeros, 3))
    bias = b.constant(
        rng.integers(-50, 50, channels).astype(np.int32), Quantization(stated, zeros, 0)
    )
    pad = kernel // 2
    window = GraphWindow(stride, stride, pad, pad, pad, pad)
    y = b.node(OpKind.DEPTHWISE_CONV_2D, [x, w, bias], Conv2D(window), Quantization((1.0,), (3,)))
    graph = b.build([y.name])
    check(graph)
    return graph


def _x(graph: Graph, count: int) -> np.ndarray:
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    return np.random.default_rng(7).integers(-128, 128, (count, *shape), dtype=np.int8)


@pytest.mark.parametrize("kernel_set", KERNEL_SETS)
def test_channels_of_large_scales_equal_the_interpreter(
    kernel_set: KernelSet, tmp_path: Path
) -> None:
    graphs = [
        _layer(*shape, large) for shape in _SHAPES for large in ((0,), (3, 15), tuple(range(16)))
    ]
    for graph, model in zip(graphs, compile_models(graphs, tmp_path, kernel_set), strict=True):
        assert_layers_match(graph, model, {graph.inputs[0]: _x(graph, 1)})


def _run(graph: Graph) -> DeviceRun:
    target = load("cortex-m4")
    image = build_image(generate(graph, target.firmware.kernel_set), target)
    x = _x(graph, 2)
    run = device_for(target).run(image, x, RunLimits())
    assert np.array_equal(run.outputs, run_batch(graph, x).reshape(len(x), -1))
    return run


@pytest.mark.parametrize("shape", _SHAPES)
def test_one_channel_of_a_large_scale_costs_little(shape: tuple[int, int, int]) -> None:
    """One such channel of 16 leaves the others to the fast kernel."""
    usual = _run(_layer(*shape, ())).instructions.max()
    with_large = _run(_layer(*shape, (5,))).instructions.max()
    assert with_large <= 1.1 * usual
