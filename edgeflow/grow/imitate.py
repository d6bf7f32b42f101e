"""Layerwise imitation: each block of a thin network learns to give what a wide twin's block gives.

The second stage of "Go Wide, Then Narrow" (Zhou et al., ICML 2020, arXiv 2007.00811). From the
first block to the last, with B_i the twin's outputs behind block i and S_i the thin network's
behind its linear map to the twin's width (`blocks.py`),

    minimize over block i and the maps around it    E |S_i(x) - B_i(x)|^2 / E |B_i(x)|^2,

the blocks below staying as they are, so that each learns on what the ones below really give. The
division makes the loss of a block that explains nothing about 1. The map behind a block starts as
the least-squares solution on a batch, so that training starts from what the block's first weights
explain already. For the last block, whose outputs
are the network's, the loss is that of distillation (Kullback-Leibler divergence; squared error
for numbers); with it the whole network is trained at the end. No weight decay, the rate falls as a
cosine.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import CosineAnnealingLR

from edgeflow.data.task import Task
from edgeflow.errors import TrainingError
from edgeflow.grow.blocks import AdaptedNetwork
from edgeflow.grow.narrow_options import NarrowOptions
from edgeflow.progress import Progress, ProgressEvent
from edgeflow.train.distill import soft_loss

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


def imitate(
    adapted: AdaptedNetwork,
    wide: nn.ModuleList,
    x: Tensor,
    task: Task,
    options: NarrowOptions,
    batch_size: int,
    generator: torch.Generator,
    progress: Progress,
) -> None:
    """Train `adapted` to imitate the blocks `wide` on samples `x` [N, C, H, W], in place.

    Raises TrainingError when a loss stops being a number.
    """
    learner = _Learner(adapted, wide, x, options.learning_rate, batch_size, generator, progress)
    count = len(adapted.blocks)
    for index in range(count):
        name = f"block {index + 1} of {count} imitates its wide twin"
        if adapted.is_entered(index):
            adapted.start_between(index)
        trained = nn.ModuleList([adapted.blocks[index], adapted.enters[index]])
        loss: Loss = OUTPUT_LOSSES[task]
        if index < count - 1:
            trained.append(adapted.leaves[index])
            loss = relative_error
            learner.start_behind(index)
        learner.learn(name, index, trained, loss, options.imitation_epochs)
    if options.output_epochs:
        name = "the network imitates its wide twin"
        learner.learn(name, None, adapted, OUTPUT_LOSSES[task], options.output_epochs)
    adapted.eval()


class _Learner:
    """What stays the same from block to block."""

    def __init__(
        self,
        adapted: AdaptedNetwork,
        wide: nn.ModuleList,
        x: Tensor,
        learning_rate: float,
        batch_size: int,
        generator: torch.Generator,
        progress: Progress,
    ) -> None:
        self.adapted, self.wide, self.x = adapted, wide.eval(), x
        self.learning_rate, self.batch_size = learning_rate, batch_size
        self.generator, self.progress = generator, progress

    def start_behind(self, index: int) -> None:
        """Let the map behind block `index` explain as much of the twin as a linear map can."""
        x = self.x[:_SAMPLES_OF_START]
        self.adapted.eval()
        with torch.no_grad():
            given = self.adapted.before(index, x)
            taken = given if index == 0 else self.adapted.between(index, given)
            thin = copy.deepcopy(self.adapted.blocks[index]).train()(taken)
            for block in self.wide[: index + 1]:
                x = block(x)
            solution = _least_squares(_by_channel(thin), _by_channel(x))
            self.adapted.leaves[index].weight.copy_(solution.T)

    def learn(
        self, name: str, index: int | None, trained: nn.Module, loss: Loss, epochs: int
    ) -> None:
        """Minimize `loss` at block `index` (None: at the outputs, through the whole network)."""
        self.adapted.eval()
        trained.train()
        optimizer = torch.optim.AdamW(trained.parameters(), lr=self.learning_rate, weight_decay=0.0)
        schedule = CosineAnnealingLR(optimizer, T_max=epochs * len(list(self._batches())))
        for epoch in range(1, epochs + 1):
            total, seen = 0.0, 0
            for batch in self._batches():
                value = loss(*self._thin_and_wide(index, batch))
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
                schedule.step()
                total, seen = total + value.item() * len(batch), seen + len(batch)
            if not math.isfinite(total):
                raise TrainingError(
                    f"{name}: its loss became {total / seen} in epoch {epoch}",
                    hint="the learning rate is most likely too high (it is "
                    f"{self.learning_rate:.3g}): try a tenth of [narrow] learning_rate",
                )
            values = {"imitation_loss": total / seen}
            self.progress(ProgressEvent(STAGE, name, epoch, epochs, values))

    def _thin_and_wide(self, index: int | None, x: Tensor) -> tuple[Tensor, Tensor]:
        wide = x
        with torch.no_grad():
            for block in self.wide[: None if index is None else index + 1]:
                wide = block(wide)
        if index is None:
            return self.adapted(x), wide
        with torch.no_grad():
            thin = self.adapted.before(index, x)
        return imitation(self.adapted, index, thin), wide

    def _batches(self) -> Iterator[Tensor]:
        """Shuffled samples; a last batch below half the size is left out, as in `fit`."""
        count = len(self.x)
        for rows in torch.randperm(count, generator=self.generator).split(self.batch_size):
            if len(rows) * 2 >= min(self.batch_size, count):
                yield self.x[rows]


def _by_channel(x: Tensor) -> Tensor:
    """[N, C, ...] as rows of C values."""
    return x.movedim(1, -1).flatten(0, -2).double()


def _least_squares(inputs: Tensor, targets: Tensor) -> Tensor:
    """The matrix [inputs, targets] that maps rows best; a trace of ridge makes it unique."""
    gram = inputs.T @ inputs
    ridge = 1e-6 * gram.diagonal().mean().clamp(min=1e-12) * torch.eye(len(gram)).to(gram)
    return torch.linalg.solve(gram + ridge, inputs.T @ targets).float()


def imitation(adapted: AdaptedNetwork, index: int, thin: Tensor) -> Tensor:
    """What block `index` gives in the twin's width, from what the block before it gives."""
    given = adapted.blocks[index](thin if index == 0 else adapted.between(index, thin))
    return adapted.leaves[index](given) if index < len(adapted.leaves) else given
