"""One epoch: updates from every batch, and what a network gives on the validation part."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn

from edgeflow.errors import TrainingError
from edgeflow.progress import Progress, epoch_part
from edgeflow.train import average
from edgeflow.train.batches import (
    Source,
    batch_order,
    plain_batches,
    steps_per_epoch,
    training_batch,
)
from edgeflow.train.device import autocast
from edgeflow.train.options import TrainOptions
from edgeflow.train.schedule import learning_rate, momentum
from edgeflow.train.state import TrainingState

STAGE = "train"


def train_epoch(
    state: TrainingState, train: Source, options: TrainOptions, epoch: int, progress: Progress
) -> float:
    """Update `state` with every batch of an epoch (from 1); the mean loss over its samples.

    Raises TrainingError when the loss stops being finite.
    """
    batches = steps_per_epoch(len(train), options.batch_size)
    state.network.train()
    total, seen = 0.0, 0
    order = batch_order(len(train), options.batch_size, state.generator)
    for number, index in enumerate(order, start=1):
        rate = set_rate(state.optimizer, options, state.step, options.epochs * batches)
        batch = training_batch(train, index, options, state.generator)
        with autocast(options):
            loss = state.guidance.of_batch(
                state.network,
                batch.x,
                partial(_target_loss, train, batch.targets, options.label_smoothing),
            )
        value = loss.item()
        if not math.isfinite(value):
            raise diverged(epoch, number, value, total / seen if seen else math.nan, rate)
        state.optimizer.zero_grad()
        state.scaler.scale(loss).backward()
        state.scaler.step(state.optimizer)
        state.scaler.update()
        if state.average is not None:
            average.update(state.average, state.network, options.ema, state.step)
        state.step += 1
        total, seen = total + value * len(batch), seen + len(batch)
        part = epoch_part(STAGE, "epoch", epoch, options.epochs, number, batches, total / seen)
        if part is not None:
            progress(part)
    if state.average is not None:
        spread = plain_batches(train, average.STATISTICS_SAMPLES)
        average.finish(state.average, state.network, (batch.x for batch in spread))
    return total / seen


def validate(network: nn.Module, validation: Source) -> tuple[float, float]:
    """Loss and score of `network` in evaluation mode."""
    network.eval()
    with torch.no_grad():
        batches = [(network(batch.x), batch.targets) for batch in plain_batches(validation)]
    outputs, targets = (torch.cat(parts) for parts in zip(*batches, strict=True))
    loss = validation.objective.loss(outputs, targets, 0.0).item()
    return loss, validation.objective.score(outputs, targets)


def _target_loss(train: Source, targets: Tensor, smoothing: float, outputs: Tensor) -> Tensor:
    return train.objective.loss(outputs, targets, smoothing)


def set_rate(
    optimizer: torch.optim.Optimizer, options: TrainOptions, step: int, steps: int
) -> float:
    """Give the optimizer the learning rate and momentum of a step; the rate."""
    rate = learning_rate(options.schedule, options.learning_rate, step, steps)
    for group in optimizer.param_groups:
        group["lr"] = rate
        group["betas"] = (momentum(options.schedule, step, steps), group["betas"][1])
    return rate


def diverged(epoch: int, step: int, loss: float, mean_before: float, rate: float) -> TrainingError:
    """The error for a loss that is not finite, with the most likely cause; step 0 is validation."""
    where = f"epoch {epoch}, step {step}" if step else f"validation after epoch {epoch}"
    before = "" if math.isnan(mean_before) else f"; mean loss before it {mean_before:.3g}"
    if epoch == 1 and step == 1:
        cause = "the untrained network already overflows: check the scaling of the data"
    else:
        cause = (
            f"the learning rate is most likely too high (scheduled here: {rate:.3g}): "
            "try a tenth of [train] learning_rate"
        )
    return TrainingError(f"training loss became {loss} at {where}{before}", hint=cause)
