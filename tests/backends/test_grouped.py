"""Convolutions in groups: the firmware equals the interpreter, and groups save instructions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeflow.backends.firmware.codegen import generate
from edgeflow.backends.firmware.toolchain import build_image
from edgeflow.devices.device import RunLimits
from edgeflow.devices.registry import device_for
from edgeflow.graph.checker import check
from edgeflow.graph.interpreter import run_batch
from edgeflow.graph.ir import Conv2D, Graph, OpKind, Quantization, Window
from edgeflow.targets.registry import load
from edgeflow.targets.schema import KernelSet
from tests.backends.host_model import assert_layers_match, compile_models
from tests.backends.kernel_sets import KERNEL_SETS
from tests.graph.builder import GraphBuilder

_SIDE, _CHANNELS = 8, 32


def _layer(groups: int, kernel: int = 3, stride: int = 1, bits: int = 8) -> Graph:
    rng = np.random.default_rng(groups)
    most = 2 ** (bits - 1) - 1
    b = GraphBuilder()
    x = b.input((1, _SIDE, _SIDE, _CHANNELS), Quantization((0.5,), (-3,)))
    shape = (_CHANNELS, kernel, kernel, _CHANNELS // groups)
    scales = tuple(float(s) for s in rng.uniform(0.001, 0.01, _CHANNELS).astype(np.float32))
    zeros = (0,) * _CHANNELS
    values = rng.integers(-most, most + 1, shape).astype(np.int8)
    weights = b.constant(values, Quantization(scales, zeros, 0), bits=bits)
    parameters = Quantization(tuple(float(np.float32(0.5 * s)) for s in scales), zeros, 0)
    bias = b.constant(rng.integers(-500, 500, _CHANNELS).astype(np.int32), parameters)
    pad = kernel // 2
    window = Window(stride, stride, pad, pad, pad, pad)
    y = b.node(OpKind.CONV_2D, [x, weights, bias], Conv2D(window), Quantization((0.5,), (3,)))
    graph = b.build([y.name])
    check(graph)
    return graph


def _x(graph: Graph, count: int) -> np.ndarray:
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    return np.random.default_rng(7).integers(-128, 128, (count, *shape), dtype=np.int8)


@pytest.mark.parametrize("kernel_set", KERNEL_SETS)
def test_groups_equal_the_interpreter(kernel_set: KernelSet, tmp_path: Path) -> None:
    graphs = [
        _layer(groups, kernel, stride, bits)
        for groups, kernel, stride in ((2, 3, 2), (4, 1, 1), (8, 3, 1), (2, 5, 1))
        for bits in (8, 4, 2)
    ]
    for graph, model in zip(graphs, compile_models(graphs, tmp_path, kernel_set), strict=True):
        assert_layers_match(graph, model, {graph.inputs[0]: _x(graph, 1)})


def _instructions(graph: Graph) -> float:
    target = load("cortex-m4")
    image = build_image(generate(graph, target.firmware.kernel_set), target)
    x = _x(graph, 2)
    run = device_for(target).run(image, x, RunLimits())
    assert np.array_equal(run.outputs, run_batch(graph, x).reshape(len(x), -1))
    return float(np.median(run.instructions))


@pytest.mark.parametrize(("groups", "most"), [(2, 0.63), (4, 0.48), (8, 0.47)])
def test_groups_cost_their_part_of_the_products_and_little_more(groups: int, most: float) -> None:
    assert _instructions(_layer(groups)) <= most * _instructions(_layer(1))
