"""Integer grids: ranges, sharing, and what TensorFlow Lite prescribes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgeflow.quantize.fold import FIXED_GRID_OPERATORS
from edgeflow.quantize.freeze import freeze
from edgeflow.quantize.grids import (
    SAME_GRID_OPERATORS,
    FixedGrid,
    calibrate,
    grid_groups,
    range_grid,
)
from edgeflow.quantize.operators import Convolution, Dense
from edgeflow.quantize.post_training import quantize_post_training
from edgeflow.quantize.trace import trace
from tests.lower.networks import NETWORKS, make_inputs, make_network


@pytest.mark.parametrize(
    ("low", "high", "zero_point"),
    [(0.0, 2.55, -128), (-2.55, 0.0, 127), (1.0, 2.0, -128), (-1.0, 1.0, 0), (0.0, 0.0, -128)],
)
def test_a_grid_covers_its_range_and_holds_zero_exactly(
    low: float, high: float, zero_point: int
) -> None:
    grid = range_grid(low, high)
    assert abs(grid.zero_point - zero_point) <= 1
    assert grid(torch.zeros(1)).item() == 0.0
    step = float(grid.get_buffer("scale"))
    for value in (low, high):
        assert abs(grid(torch.tensor([value])).item() - value) <= step


def test_integers_are_those_behind_fake_quantization() -> None:
    grid = FixedGrid(torch.tensor([0.1, 0.03]), 0, -127, 127)
    x = torch.linspace(-5.0, 5.0, 202).reshape(2, 101)
    integers = grid.integers(x)
    assert int(integers.min()) >= -127
    assert torch.equal(integers * torch.tensor([[0.1], [0.03]]), grid(x))


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_integer_tensor_has_a_grid_and_equal_where_tflite_requires_it(name: str) -> None:
    x = make_inputs(32)
    traced = trace(make_network(name), x)
    student = quantize_post_training(traced, x, 8)
    frozen = freeze(student)
    grouped = [tensor for group in grid_groups(frozen) for tensor in group.tensors]
    assert len(grouped) == len(set(grouped))
    assert all(isinstance(frozen.quantizer(tensor), FixedGrid) for tensor in grouped)
    for step in frozen.steps:
        operator, grid = frozen.operator(step.name), frozen.quantizer(step.name)
        if isinstance(operator, SAME_GRID_OPERATORS):
            assert all(frozen.quantizer(source) is grid for source in step.inputs)
        if isinstance(operator, FIXED_GRID_OPERATORS):
            assert isinstance(grid, FixedGrid)
            assert (float(grid.get_buffer("scale")), grid.zero_point) == (1 / 256, -128)
        if isinstance(operator, Convolution | Dense):
            weights = operator.weight_quantizer
            assert isinstance(weights, FixedGrid)
            assert (weights.zero_point, weights.low, weights.high) == (0, -127, 127)
            assert weights.get_buffer("scale").shape == (len(operator.weight),)


def test_freezing_changes_outputs_by_no_more_than_rounding() -> None:
    x = make_inputs(32)
    student = quantize_post_training(trace(make_network("squeeze_excite"), x), x, 8).eval()
    frozen = freeze(student)
    grid = frozen.quantizer(frozen.output)
    assert isinstance(grid, FixedGrid)
    with torch.no_grad():
        difference = (student(x) - frozen(x)).abs().max()
    assert float(difference) <= 2.01 * float(grid.get_buffer("scale"))


def test_a_dead_channel_with_a_bias_still_has_a_bias_that_fits_int32() -> None:
    network = nn.Conv2d(3, 2, 1)
    with torch.no_grad():
        network.weight[0] = 0.0
        network.bias.copy_(torch.tensor([50.0, 0.0]))  # type: ignore[union-attr]
    x = make_inputs(8)
    calibrated = calibrate(trace(network, x), x)
    layer, grid = calibrated.operator(calibrated.steps[0].name), calibrated.quantizer("input")
    assert isinstance(layer, Convolution)
    scales = layer.weight_quantizer.get_buffer("scale") * grid.get_buffer("scale")  # type: ignore[union-attr]
    assert float((layer.bias / scales).abs().max()) < 2**31
