"""Integer grids: which tensors share one, and fake quantization onto a fixed one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from edgeflow.quantize.fold import FIXED_GRID_OPERATORS
from edgeflow.quantize.network import StepNetwork, fused_activations
from edgeflow.quantize.operators import (
    AveragePool,
    Concatenate,
    Convolution,
    Dense,
    MaxPool,
    Reshape,
    ZeroPad,
)

# Operators whose inputs and output share scale and zero point in TensorFlow Lite.
SAME_GRID_OPERATORS = (MaxPool, AveragePool, Reshape, ZeroPad, Concatenate)

INT8_LOW, INT8_HIGH = -128, 127

# A range below this is taken for a constant zero; keeps scales away from subnormal numbers.
_SMALLEST_RANGE = 1e-6


class FixedGrid(nn.Module):
    """Fake quantization: real = scale * (integer - zero point), integers from `low` to `high`.

    `scale` is float32: one entry, or one for each index of dimension 0 with zero points 0.
    """

    def __init__(self, scale: Tensor, zero_point: int, low: int, high: int) -> None:
        super().__init__()
        self.register_buffer("scale", scale.detach().clone().to(torch.float32).reshape(-1))
        self.zero_point = zero_point
        self.low = low
        self.high = high

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as `x`; the gradient passes inside the range."""
        scale = self.get_buffer("scale")
        if scale.numel() == 1:
            return torch.fake_quantize_per_tensor_affine(
                x, float(scale), self.zero_point, self.low, self.high
            )
        zero_points = torch.full(scale.shape, self.zero_point, dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(x, scale, zero_points, 0, self.low, self.high)

    def integers(self, x: Tensor) -> Tensor:
        """The integers behind `forward`, int32; rounding is decided there, once."""
        scale = self.get_buffer("scale").view(-1, *[1] * (x.ndim - 1))
        return torch.round(self(x) / scale).to(torch.int32) + self.zero_point


def probability_grid() -> FixedGrid:
    """The grid of SOFTMAX and LOGISTIC results in TensorFlow Lite: 0 to 255/256."""
    return FixedGrid(torch.tensor([1.0 / 256.0]), INT8_LOW, INT8_LOW, INT8_HIGH)


def range_grid(low: float, high: float) -> FixedGrid:
    """The int8 grid over [low, high], widened to hold 0 exactly."""
    low, high = min(low, 0.0), max(high, 0.0)
    if high - low < _SMALLEST_RANGE:
        high = low + _SMALLEST_RANGE
    scale = float(np.float32((high - low) / (INT8_HIGH - INT8_LOW)))
    zero_point = int(np.clip(round(INT8_LOW - low / scale), INT8_LOW, INT8_HIGH))
    return FixedGrid(torch.tensor([scale]), zero_point, INT8_LOW, INT8_HIGH)


@dataclass(frozen=True)
class GridGroup:
    """Tensors on one grid, in order of computation; `fixed` if an operator prescribes it."""

    tensors: tuple[str, ...]
    fixed: bool


def grid_groups(network: StepNetwork) -> tuple[GridGroup, ...]:
    """Every tensor that exists as integers, in groups that must share scale and zero point.

    What a fused activation takes in exists only inside an operator, and is in no group.
    """
    internal = set(fused_activations(network).values())
    parent = {name: name for name in network.shapes() if name not in internal}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    fixed: set[str] = set()
    for step in network.steps:
        operator = network.operator(step.name)
        if isinstance(operator, FIXED_GRID_OPERATORS):
            fixed.add(step.name)
        if isinstance(operator, SAME_GRID_OPERATORS):
            for name in step.inputs:
                parent[root(step.name)] = root(name)
    members: dict[str, list[str]] = {}
    for name in parent:
        members.setdefault(root(name), []).append(name)
    return tuple(
        GridGroup(tuple(names), any(n in fixed for n in names)) for names in members.values()
    )


def observed_ranges(network: StepNetwork, x: Tensor) -> dict[str, tuple[float, float]]:
    """Smallest and largest value of every tensor over the inputs `x` [N, ...]."""
    ranges: dict[str, tuple[float, float]] = {}
    with torch.no_grad():
        for batch in x.split(64):
            for name, value in network.values(batch).items():
                low, high = ranges.get(name, (float("inf"), float("-inf")))
                ranges[name] = (min(low, float(value.min())), max(high, float(value.max())))
    return ranges


def weight_scales(layer: Convolution | Dense, scale: Tensor, input_scale: float) -> Tensor:
    """`scale` [out] float32, raised where a bias would not fit int32 at input_scale * scale."""
    bias_limit = layer.bias.detach().abs().double() / (input_scale * 2.0**30)
    smallest = torch.full_like(bias_limit, _SMALLEST_RANGE / INT8_HIGH)
    return torch.maximum(scale.double(), torch.maximum(bias_limit, smallest)).float()


def input_scale(network: StepNetwork, tensor: str) -> float:
    """Scale of the fixed grid of a tensor."""
    grid = network.quantizer(tensor)
    assert isinstance(grid, FixedGrid)
    return float(grid.get_buffer("scale"))


def calibrate(
    network: StepNetwork, x: Tensor, weight_bits: int | Mapping[str, int] = 8
) -> StepNetwork:
    """Fixed grids for a float network, in place: observed ranges over `x`, largest weights.

    `weight_bits` is one width for all weights, or one for each step by its name.
    """
    ranges = observed_ranges(network, x)
    for group in grid_groups(network):
        low = min(ranges[name][0] for name in group.tensors)
        high = max(ranges[name][1] for name in group.tensors)
        grid = probability_grid() if group.fixed else range_grid(low, high)
        network.set_quantizer(group.tensors, grid)
    for step in network.steps:
        layer = network.operator(step.name)
        if isinstance(layer, Convolution | Dense):
            bits = weight_bits if isinstance(weight_bits, int) else weight_bits[step.name]
            most = 2 ** (bits - 1) - 1
            largest = layer.weight.detach().abs().flatten(1).amax(1)
            scale_in = input_scale(network, step.inputs[0])
            scale = weight_scales(layer, largest / most, scale_in)
            layer.weight_quantizer = FixedGrid(scale, 0, -most, most)
    return network.eval().requires_grad_(False)
