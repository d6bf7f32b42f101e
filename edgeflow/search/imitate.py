"""A candidate learns to give what a teacher's cell gives (layerwise feature-map distillation).

    minimise  E |S(x) - T(x)|^2 / Var T(x)

over x, the maps that go into the cell T; S is the candidate alone. Molchanov et al. 2022 (LANA,
arXiv 2107.10624), section 3.2. The division makes the loss of a candidate that gives the mean of
the cell's output 1. AdamW; the learning rate falls as a cosine.

Candidates learn one after another. `torch.func.vmap` over those of equal structure was measured
against it on one thread (`benchmarks/search/pool_training.py`). In a cell only those that differ in
bits are of equal structure: two in one program are 0.6 to 1.1 times as fast. Eight would be up to
1.6 times as fast on maps of 8x8 and 2.3 on 4x4, depthwise kinds slower on all larger ones; so many
are alike only across cells, and there each needs maps of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from edgeflow.errors import TrainingError
from edgeflow.search.maps import Maps
from edgeflow.search.weight_grids import put_on_grid, take_off_grid
from edgeflow.train.batches import for_convolutions

WHOLE_BITS = 8  # weights of 8 bits learn as if they were exact
_LEAST_MOMENTUM = 0.1  # of running statistics: torch's own
_FORGOTTEN = 4.0  # what they were before the first step weighs exp(-4) after the last


@dataclass(frozen=True)
class Pace:
    """How long and how fast a candidate learns: steps in all, first learning rate, decay."""

    steps: int
    learning_rate: float
    weight_decay: float


@dataclass(frozen=True, eq=False)
class Imitation:
    """A candidate that learns."""

    module: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: CosineAnnealingLR


def imitation(module: nn.Module, bits: int, pace: Pace) -> Imitation:
    """`module` before its first step; with fewer than 8 bits it learns on the weights' grids."""
    for_convolutions(module.train())
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = max(_LEAST_MOMENTUM, min(1.0, _FORGOTTEN / pace.steps))
    if bits < WHOLE_BITS:
        put_on_grid(module, bits)
    optimizer = torch.optim.AdamW(
        module.parameters(), lr=pace.learning_rate, weight_decay=pace.weight_decay, foreach=True
    )
    return Imitation(module, optimizer, CosineAnnealingLR(optimizer, T_max=pace.steps))


def learn(imitated: Imitation, batches: Iterator[tuple[Tensor, Tensor]], variance: float) -> None:
    """A step for every batch of maps x [N, C, H, W] and y, what the cell makes of them.

    Raises TrainingError where the loss of the last one is not finite.
    """
    loss = torch.zeros(())
    for x, y in batches:
        loss = (imitated.module(x) - y).square().mean() / variance
        imitated.optimizer.zero_grad()
        loss.backward()
        imitated.optimizer.step()
        imitated.schedule.step()
    if not bool(loss.isfinite()):
        raise TrainingError(
            f"the loss of a candidate became {loss.item()}",
            hint="the learning rates of [search.pool] are most likely too high: try a tenth",
        )


def learnt(imitated: Imitation) -> dict[str, Tensor]:
    """The state of the candidate: weights as they are, not on grids."""
    take_off_grid(imitated.module)
    state = imitated.module.state_dict()
    return {name: value.detach().contiguous() for name, value in state.items()}


def batches(
    maps: Maps, steps: int, size: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """`steps` batches of the maps, in a new order whenever all are used."""
    size = min(size, len(maps))
    order = torch.empty(0, dtype=torch.int64)
    for _ in range(steps):
        if len(order) < size:
            order = torch.randperm(len(maps), generator=generator)
        index, order = order[:size], order[size:]
        yield maps.inputs[index], maps.outputs[index]
