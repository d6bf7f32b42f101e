"""Networks that only answer: batch normalization in the weights, activations in place.

On one thread, for the teacher of `benchmarks/search/networks.py`, a forward pass takes 0.3 of the
time (measured: 1.07 s for 512 images as trained and 256 at a time, 0.32 s so and 32 at a time).
"""

from __future__ import annotations

import copy
import itertools

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from edgeflow.train.batches import for_convolutions

BATCH = 32  # images at a time: maps of more leave the caches


def folded(network: nn.Module) -> nn.Module:
    """A copy of a network of cells that answers as the network in evaluation mode does.

    Inputs stay as they are, since no cell begins with an activation. Sums are rounded otherwise.
    """
    answering = copy.deepcopy(network).eval().requires_grad_(False)
    for module in list(answering.modules()):
        children = list(module.named_children())
        for (name, layer), (norm_name, norm) in itertools.pairwise(children):
            # The cells of `nets.cells` name a convolution right before its own normalization.
            if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(layer, norm))
                setattr(module, norm_name, nn.Identity())
        if isinstance(module, nn.ReLU | nn.ReLU6):
            module.inplace = True
    return for_convolutions(answering)


def answers(network: nn.Module, x: Tensor) -> Tensor:
    """What a network gives for a batch [N, ...]; `BATCH` samples at a time, without gradients."""
    with torch.no_grad():
        return torch.cat([network(part) for part in x.split(BATCH)])
