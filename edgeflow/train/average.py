"""Exponential moving average of weights (Polyak, Juditsky 1992) with batch norm of its own."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

STATISTICS_SAMPLES = 4096


def update(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move `average` towards `network`, in place; `step` counts from 0.

    a <- d a + (1 - d) w with d = min(decay, (1 + step) / (10 + step)), so that the start is soon
    forgotten. Buffers are left to `finish`.
    """
    decay = min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for mean, value in zip(average.parameters(), network.parameters(), strict=True):
            mean.lerp_(value, 1 - decay)


def finish(average: nn.Module, network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Give `average` the buffers of `network`, and batch norm statistics of its own, in place."""
    with torch.no_grad():
        for buffer, value in zip(average.buffers(), network.buffers(), strict=True):
            buffer.copy_(value)
    measure_statistics(average, batches)


def measure_statistics(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the running statistics of batch norm to the means over `batches`, in place.

    Averaged weights have activations that no network before had, so their statistics are measured
    anew (as Izmailov et al. 2018, arXiv 1803.05407, section 3.2). Without batch norm nothing runs.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    norms = [norm for norm in norms if norm.track_running_stats]
    if not norms:
        return
    was_training = network.training
    momenta = [norm.momentum for norm in norms]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    with torch.no_grad():
        for x in batches:
            if len(x) > 1:
                network(x)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.train(was_training)
