"""Magnitude pruning of single weights (Han, Pool, Tran, Dally 2015, arXiv 1506.02626).

The weights of smallest |w|, over all layers at once, become zero and stay zero while the rest is
trained again: w = m * v with a fixed mask m of zeros and ones and trained values v. Code for a
microcontroller computes with zeros as with any number; what saves there is
`train.prune_channels`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

Masks = Mapping[str, Tensor]

_LAYERS = (nn.Conv2d, nn.Linear)


class _Mask(nn.Module):
    """Parametrization of a weight: its values times a fixed mask."""

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, values: Tensor) -> Tensor:
        return values * self.mask


def magnitude_masks(network: nn.Module, sparsity: float) -> Masks:
    """Masks (1 keeps) by layer name that remove a fraction `sparsity` of all weights together.

    Weights are those of convolutions and fully connected layers, biases and batch normalization are
    left alone. Every output of a layer keeps its largest weight, so that no layer falls silent. Of
    weights of equal size the earlier are removed.
    """
    weights = {
        name: layer.weight.detach()
        for name, layer in network.named_modules()
        if isinstance(layer, _LAYERS)
    }
    sizes = torch.cat([w.abs().flatten() for w in weights.values()])
    keep = torch.ones_like(sizes)
    keep[sizes.argsort(stable=True)[: round(sparsity * len(sizes))]] = 0.0
    parts = keep.split([w.numel() for w in weights.values()])
    masks = {n: part.reshape(w.shape) for (n, w), part in zip(weights.items(), parts, strict=True)}
    for name, weight in weights.items():
        largest = weight.abs().flatten(1).argmax(dim=1, keepdim=True)
        masks[name].flatten(1).scatter_(1, largest, 1.0)
    return masks


def masked(network: nn.Module, masks: Masks) -> nn.Module:
    """A copy whose masked weights stay zero in training; `baked` gives a plain network again."""
    network = copy.deepcopy(network)
    for name, mask in masks.items():
        layer = network.get_submodule(name)
        parametrize.register_parametrization(layer, "weight", _Mask(mask))
    return network


def baked(network: nn.Module) -> nn.Module:
    """A copy without masks, the weights as they are masked; any network without is copied as is."""
    network = copy.deepcopy(network)
    for layer in network.modules():
        if parametrize.is_parametrized(layer, "weight"):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
    return network


def zero_fraction(network: nn.Module) -> float:
    """Fraction of the weights of convolutions and fully connected layers that are zero."""
    weights = [m.weight.detach() for m in network.modules() if isinstance(m, _LAYERS)]
    zeros = sum(int((w == 0).sum()) for w in weights)
    return zeros / sum(w.numel() for w in weights)
