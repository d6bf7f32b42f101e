"""Layerwise imitation: each block of a thin network learns to give what a wide twin's block gives.

The second stage of "Go Wide, Then Narrow" (Zhou et al., ICML 2020, arXiv 2007.00811). From the
first block to the last, with B_i the twin's outputs behind block i and S_i the thin network's
behind its linear map to the twin's width (`blocks.py`),

    minimize over block i and the maps around it    E |S_i(x) - B_i(x)|^2 / E |B_i(x)|^2,

the blocks below staying as they are, so that each learns on what the ones below really give. The
division makes the loss of a block that explains nothing about 1. The map behind a block starts as
the least-squares solution on a batch, so that training starts from what the block's first weights
explain already. For the last block, whose outputs are the network's, the loss is that of
distillation (Kullback-Leibler divergence; squared error for numbers); with it the whole network is
trained at the end. No weight decay, the rate falls as a cosine.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import CosineAnnealingLR

from edgeflow.data.task import Task
from edgeflow.errors import TrainingError
from edgeflow.grow.blocks import AdaptedNetwork
from edgeflow.grow.narrow_options import NarrowOptions
from edgeflow.progress import Progress, ProgressEvent
from edgeflow.train.batches import (
    Source,
    batch_order,
    plain_batches,
    steps_per_epoch,
    training_batch,
)
from edgeflow.train.options import TrainOptions
from edgeflow.train.soft_loss import soft_loss

STAGE = "train"
_SAMPLES_OF_START = 256
Loss = Callable[[Tensor, Tensor], Tensor]


def relative_error(thin: Tensor, wide: Tensor) -> Tensor:
    """Squared error of `thin`, as a fraction of what giving zeros would have."""
    return functional.mse_loss(thin, wide) / wide.square().mean().clamp(min=1e-12)


OUTPUT_LOSSES: Mapping[Task, Loss] = {
    Task.CLASSIFICATION: lambda thin, wide: soft_loss(thin, wide, temperature=1.0),
    Task.REGRESSION: relative_error,
    Task.ANOMALY: relative_error,
}


@dataclass(frozen=True, eq=False)
class Imitation:
    """A thin network with maps, the blocks of its trained twin, and the data they both see.

    `options` say how batches are made of the data, `narrow` how long and how fast is learnt.
    """

    adapted: AdaptedNetwork
    wide: nn.ModuleList
    source: Source
    options: TrainOptions
    narrow: NarrowOptions
    generator: torch.Generator
    progress: Progress


def imitate(imitation: Imitation, task: Task) -> None:
    """Train the thin network's blocks, in place, from the first to the last, then all of them.

    Raises TrainingError when a loss stops being a number.
    """
    adapted, narrow = imitation.adapted, imitation.narrow
    imitation.wide.eval()
    count = len(adapted.blocks)
    for index in range(count):
        if adapted.is_entered(index):
            adapted.start_between(index)
        trained = nn.ModuleList([adapted.blocks[index], adapted.enters[index]])
        loss: Loss = OUTPUT_LOSSES[task]
        if index < count - 1:
            _start_behind(imitation, index)
            trained.append(adapted.leave(index))
            loss = relative_error
        name = f"block {index + 1} of {count} imitates its wide twin"
        _learn(imitation, name, index, trained, loss, narrow.imitation_epochs)
    if narrow.output_epochs:
        name = "the network imitates its wide twin"
        _learn(imitation, name, None, adapted, OUTPUT_LOSSES[task], narrow.output_epochs)
    adapted.eval()


def _learn(
    imitation: Imitation,
    name: str,
    index: int | None,
    trained: nn.Module,
    loss: Loss,
    epochs: int,
) -> None:
    """Minimize `loss` at block `index` (None: at the outputs, through the whole network)."""
    source, options, generator = imitation.source, imitation.options, imitation.generator
    imitation.adapted.eval()
    trained.train()
    rate = imitation.narrow.learning_rate
    optimizer = torch.optim.AdamW(trained.parameters(), lr=rate, weight_decay=0.0)
    steps = epochs * steps_per_epoch(len(source), options.batch_size)
    schedule = CosineAnnealingLR(optimizer, T_max=steps)
    for epoch in range(1, epochs + 1):
        total, seen = 0.0, 0
        for rows in batch_order(len(source), options.batch_size, generator):
            x = training_batch(source, rows, options, generator).x
            value = loss(*_thin_and_wide(imitation, index, x))
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            schedule.step()
            total, seen = total + value.item() * len(rows), seen + len(rows)
        if not math.isfinite(total):
            raise TrainingError(
                f"{name}: its loss became {total / seen} in epoch {epoch}",
                hint=f"the learning rate is most likely too high (it is {rate:.3g}): "
                "try a tenth of [narrow] learning_rate",
            )
        values = {"imitation_loss": total / seen}
        imitation.progress(ProgressEvent(STAGE, name, epoch, epochs, values))


def _thin_and_wide(imitation: Imitation, index: int | None, x: Tensor) -> tuple[Tensor, Tensor]:
    """What is compared: the thin network's answer behind its map, and the twin's."""
    adapted = imitation.adapted
    wide = _wide_outputs(imitation, len(imitation.wide) if index is None else index + 1, x)
    if index is None:
        return adapted(x), wide
    with torch.no_grad():
        below = adapted.before(index, x)
    thin = adapted.blocks[index](below if index == 0 else adapted.between(index, below))
    return adapted.leave(index)(thin) if index < len(adapted.leaves) else thin, wide


def _wide_outputs(imitation: Imitation, blocks: int, x: Tensor) -> Tensor:
    with torch.no_grad():
        for block in imitation.wide[:blocks]:
            x = block(x)
    return x


def _start_behind(imitation: Imitation, index: int) -> None:
    """Let the map behind block `index` explain as much of the twin as a linear map can."""
    adapted = imitation.adapted.eval()
    x = next(plain_batches(imitation.source, _SAMPLES_OF_START)).x
    with torch.no_grad():
        below = adapted.before(index, x)
        taken = below if index == 0 else adapted.between(index, below)
        thin = copy.deepcopy(adapted.blocks[index]).train()(taken)
        wide = _wide_outputs(imitation, index + 1, x)
        adapted.leave(index).weight.copy_(_least_squares(_by_channel(thin), _by_channel(wide)).T)


def _by_channel(x: Tensor) -> Tensor:
    """[N, C, ...] as rows of C values."""
    return x.movedim(1, -1).flatten(0, -2).double()


def _least_squares(inputs: Tensor, targets: Tensor) -> Tensor:
    """The matrix [inputs, targets] that maps rows best; a trace of ridge makes it unique."""
    gram = inputs.T @ inputs
    ridge = 1e-6 * gram.diagonal().mean().clamp(min=1e-12) * torch.eye(len(gram)).to(gram)
    return torch.linalg.solve(gram + ridge, inputs.T @ targets).float()
