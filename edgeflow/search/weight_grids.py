"""Fake quantization of weights: symmetric grids, one for each output channel."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

_SMALLEST = 1e-12
_WEIGHTED = (nn.Conv2d, nn.Linear)


def on_grid(weight: Tensor, bits: int) -> Tensor:
    """Weights [out, ...] at the nearest values of their channel's grid; gradients pass.

    A grid reaches from the channel's largest magnitude down to its negative, with
    2**(bits - 1) - 1 steps on each side. Batch normalization scales a channel as a whole, so that
    folding it into the weights would give the same grid.
    """
    given = weight.detach()
    largest = given.abs().flatten(1).amax(1).clamp_min(_SMALLEST)
    scale = (largest / (2 ** (bits - 1) - 1)).view(-1, *[1] * (weight.ndim - 1))
    return weight + (torch.round(given / scale) * scale - given)


def state_on_grid(state: Mapping[str, Tensor], bits: int) -> dict[str, Tensor]:
    """A state with its layers' weights on grids; those of normalizations have one dimension."""
    return {
        name: on_grid(value, bits) if value.ndim > 1 else value for name, value in state.items()
    }


def put_on_grid(network: nn.Module, bits: int) -> None:
    """Let every layer of `network` compute with weights on grids, from now on."""
    for module in list(network.modules()):
        if isinstance(module, _WEIGHTED):
            parametrize.register_parametrization(module, "weight", _OnGrid(bits))


def take_off_grid(network: nn.Module) -> None:
    """Give the layers their weights back as they were trained."""
    for module in list(network.modules()):
        if isinstance(module, _WEIGHTED) and parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=False)


class _OnGrid(nn.Module):
    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = bits

    def forward(self, weight: Tensor) -> Tensor:
        return on_grid(weight, self.bits)
