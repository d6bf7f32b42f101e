"""ADD as one linear form of its operands, for scales and zero points of every sort."""

from __future__ import annotations

import numpy as np
import pytest

from edgeflow.backends.firmware.linear_sum import LinearSum, linear_sum
from edgeflow.graph.interpreter import run_batch
from edgeflow.graph.ir import Activation, Elementwise, Graph, OpKind, Quantization
from edgeflow.graph.requantize import add_requantization
from tests.graph.builder import GraphBuilder

_EVERY = np.arange(-128, 128, dtype=np.int8)


def _add(
    scales: tuple[float, float, float], zero_points: tuple[int, int, int], activation: Activation
) -> Graph:
    """x + c for every x, with c each int8 value in turn."""
    first, second, output = (
        Quantization((float(np.float32(scale)),), (zero_point,))
        for scale, zero_point in zip(scales, zero_points, strict=True)
    )
    builder = GraphBuilder()
    x = builder.input((1, 1, 256, 256), first)
    table = np.broadcast_to(_EVERY[:, None], (256, 256)).reshape(1, 1, 256, 256)
    constant = builder.constant(np.ascontiguousarray(table), second)
    y = builder.node(OpKind.ADD, [x, constant], Elementwise(activation), output)
    return builder.build([y.name])


def _evaluated(found: LinearSum, graph: Graph) -> np.ndarray:
    bounds = add_requantization(graph, graph.nodes[0]).range
    x, y = _EVERY.astype(np.int64), _EVERY.astype(np.int64)[:, None]
    sums = x * found.first_multiplier + y * found.second_multiplier + found.base
    assert np.all(np.abs(sums) < 2**31)
    return np.clip(sums >> found.shift, bounds.minimum, bounds.maximum)


def _matches(graph: Graph) -> bool:
    found = linear_sum(add_requantization(graph, graph.nodes[0]))
    if found is None:
        return False
    x = np.broadcast_to(_EVERY, (1, 1, 256, 256))
    expected = run_batch(graph, np.ascontiguousarray(x)).reshape(256, 256)
    assert np.array_equal(_evaluated(found, graph), expected)
    return True


@pytest.mark.parametrize("activation", [Activation.NONE, Activation.RELU, Activation.RELU6])
@pytest.mark.parametrize(
    "scales",
    [(0.05, 0.05, 0.05), (0.05, 0.05, 0.1), (0.1, 0.025, 0.2), (0.0517, 0.0319, 0.0701)],
    ids=["equal", "ties", "powers of two", "unlike"],
)
def test_it_is_exact_for_every_pair_of_inputs(scales, activation):
    for zero_points in ((0, 0, 0), (-128, 5, -128), (127, -128, 3)):
        assert _matches(_add(scales, zero_points, activation))


def test_nearly_all_scales_have_such_a_form():
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(60):
        scales = 2.0 ** rng.uniform(-8, -2, 2)
        output = float(scales.max() * 2.0 ** rng.uniform(-1, 2))
        zero_points = tuple(int(z) for z in rng.integers(-128, 128, 3))
        graph = _add((float(scales[0]), float(scales[1]), output), zero_points, Activation.NONE)
        found += _matches(graph)
    assert found >= 58


def test_scales_with_a_tie_at_every_other_sum_or_far_apart_have_none_or_an_exact_one():
    _matches(_add((0.05, 0.031, 0.07), (0, 0, 0), Activation.NONE))
    _matches(_add((1e-6, 0.5, 0.5), (0, 0, 0), Activation.NONE))
    _matches(_add((0.5, 0.5, 2e-5), (0, 0, 0), Activation.NONE))
