"""Trainable NNCF quantizers to fixed integer grids: what is evaluated and lowered."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from edgeflow.quantize.grids import (
    FixedGrid,
    grid_groups,
    input_scale,
    range_grid,
    weight_scales,
)
from edgeflow.quantize.network import StepNetwork
from edgeflow.quantize.operators import Convolution, Dense

if TYPE_CHECKING:
    from nncf.torch.quantization.layers import AsymmetricQuantizer, SymmetricQuantizer


def freeze(network: StepNetwork) -> StepNetwork:
    """A copy in evaluation mode whose quantizers are fixed grids of plain torch, free of NNCF."""
    operators = copy.deepcopy(network.operators())
    frozen = StepNetwork(network.input_shape, network.steps, operators, network.output)
    for group in grid_groups(network):
        quantizer = network.quantizer(group.tensors[0])
        assert quantizer is not None, f"{group.tensors[0]} has no quantizer"
        frozen.set_quantizer(group.tensors, _fixed_activation(quantizer))
    for step in frozen.steps:
        layer = frozen.operator(step.name)
        if isinstance(layer, Convolution | Dense):
            scale_in = input_scale(frozen, step.inputs[0])
            layer.weight_quantizer = _fixed_weight(layer, scale_in)
    return frozen.eval().requires_grad_(False)


def _fixed_activation(quantizer: nn.Module) -> FixedGrid:
    if isinstance(quantizer, FixedGrid):
        return copy.deepcopy(quantizer)
    with torch.no_grad():
        low, high = cast("AsymmetricQuantizer", quantizer).get_input_low_input_high()
    return range_grid(float(low), float(high))


def _fixed_weight(layer: Convolution | Dense, scale_in: float) -> FixedGrid:
    quantizer = cast("SymmetricQuantizer", layer.weight_quantizer)
    high = quantizer.level_high
    with torch.no_grad():
        scale = quantizer.scale.detach().abs().reshape(-1) / high
    return FixedGrid(weight_scales(layer, scale, scale_in), 0, -high, high)
