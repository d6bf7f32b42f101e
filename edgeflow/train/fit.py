"""Float training: deterministic, best epoch on validation kept."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR

from edgeflow.data.dataset import Dataset, Split, prepare
from edgeflow.errors import ModelError, TrainingError
from edgeflow.nets.layout import network_input
from edgeflow.progress import Progress, ProgressEvent, epoch_part, silent
from edgeflow.train.augment import AUGMENTATIONS
from edgeflow.train.determinism import deterministic
from edgeflow.train.objective import OBJECTIVES, Objective
from edgeflow.train.options import Schedule, TrainOptions

STAGE = "train"


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch gave; losses are means over samples, accuracy a fraction."""

    epoch: int
    learning_rate: float
    train_loss: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """`network` (evaluation mode) holds the weights of `best_epoch`, counted from 1."""

    network: nn.Module
    history: tuple[EpochRecord, ...]
    best_epoch: int
    validation_accuracy: float


@dataclass(frozen=True, eq=False)
class _Samples:
    """A split on its way through the network: [N, C, H, W] and targets."""

    x: Tensor
    y: Tensor


def fit(
    network: nn.Module, dataset: Dataset, options: TrainOptions, progress: Progress = silent
) -> TrainedNetwork:
    """Train a copy of `network` with cross-entropy and AdamW; progress after each epoch and in it.

    The epoch with the highest validation accuracy is kept (then lowest loss, then earliest); the
    test part is never looked at. Raises TrainingError when the loss stops being finite, ModelError
    when the network does not suit the data.
    """
    objective = OBJECTIVES[dataset.task]
    train = _samples(dataset, dataset.train, objective)
    validation = _samples(dataset, dataset.validation, objective)
    network = copy.deepcopy(network)
    with deterministic(options.seed, options.threads) as generator:
        _check_start(network, train, dataset.outputs, progress)
        history: list[EpochRecord] = []
        best: tuple[tuple[float, float], int, dict[str, Tensor]] | None = None
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
        )
        schedule = _schedule(optimizer, options, len(train.y))
        for epoch in range(1, options.epochs + 1):
            rate = float(optimizer.param_groups[0]["lr"])
            loss = _train_epoch(
                network, train, objective, optimizer, schedule, options, generator, epoch, progress
            )
            validation_loss, accuracy = _validate(network, validation, objective, epoch, rate)
            history.append(EpochRecord(epoch, rate, loss, validation_loss, accuracy))
            if best is None or (accuracy, -validation_loss) > best[0]:
                state = {k: v.detach().clone() for k, v in network.state_dict().items()}
                best = ((accuracy, -validation_loss), epoch, state)
            progress(_event(history[-1], options.epochs))
    assert best is not None
    network.load_state_dict(best[2])
    network.eval()
    return TrainedNetwork(network, tuple(history), best[1], best[0][0])


def _samples(dataset: Dataset, split: Split, objective: Objective) -> _Samples:
    x = network_input(prepare(dataset.preprocessing, split.x))
    return _Samples(x, objective.targets(split, x))


def _batches(count: int, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Shuffled indices; a last batch below half the size is left out (batch norm needs company)."""
    order = torch.randperm(count, generator=generator)
    for batch in order.split(batch_size):
        if len(batch) * 2 >= min(batch_size, count):
            yield batch


def _steps_per_epoch(count: int, batch_size: int) -> int:
    whole, rest = divmod(count, batch_size)
    return whole + (rest * 2 >= min(batch_size, count))


def _schedule(optimizer: torch.optim.Optimizer, options: TrainOptions, count: int) -> LRScheduler:
    steps = options.epochs * _steps_per_epoch(count, options.batch_size)
    if options.schedule is Schedule.COSINE:
        return CosineAnnealingLR(optimizer, T_max=steps)
    return OneCycleLR(optimizer, max_lr=options.learning_rate, total_steps=max(2, steps))


def _train_epoch(
    network: nn.Module,
    train: _Samples,
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    schedule: LRScheduler,
    options: TrainOptions,
    generator: torch.Generator,
    epoch: int,
    progress: Progress,
) -> float:
    batches = _steps_per_epoch(len(train.y), options.batch_size)
    augment = AUGMENTATIONS[options.augmentation]
    network.train()
    total, seen = 0.0, 0
    for step, batch in enumerate(_batches(len(train.y), options.batch_size, generator), start=1):
        outputs = network(augment(train.x[batch], generator))
        loss = objective.loss(outputs, train.y[batch], options.label_smoothing)
        value = loss.item()
        if not math.isfinite(value):
            mean = total / seen if seen else math.nan
            rate = float(optimizer.param_groups[0]["lr"])
            raise _diverged(epoch, step, value, mean, rate)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        total, seen = total + value * len(batch), seen + len(batch)
        part = epoch_part(STAGE, "epoch", epoch, options.epochs, step, batches, total / seen)
        if part is not None:
            progress(part)
    return total / seen


def _validate(
    network: nn.Module, validation: _Samples, objective: Objective, epoch: int, rate: float
) -> tuple[float, float]:
    network.eval()
    with torch.no_grad():
        outputs = torch.cat([network(batch) for batch in validation.x.split(256)])
    loss = objective.loss(outputs, validation.y, 0.0).item()
    if not math.isfinite(loss):
        raise _diverged(epoch, 0, loss, math.nan, rate)
    return loss, objective.score(outputs, validation.y)


def _diverged(epoch: int, step: int, loss: float, mean_before: float, rate: float) -> TrainingError:
    """The error for a loss that is not finite, with the most likely cause."""
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


def _check_start(network: nn.Module, train: _Samples, classes: int, progress: Progress) -> None:
    """Warn where an untrained network is far from guessing, or gives another number of outputs."""
    probe = copy.deepcopy(network).train()
    with torch.no_grad():
        outputs = probe(train.x[:256])
    if outputs.ndim != 2 or outputs.shape[1] != classes:
        raise ModelError(
            f"the network gives outputs of shape {tuple(outputs.shape)} and the data has "
            f"{classes} classes",
            hint=f"the last layer must give [N, {classes}] logits",
        )
    loss = functional.cross_entropy(outputs, train.y[:256]).item()
    expected = math.log(classes)
    if math.isfinite(loss) and loss > 2 * expected + 1:
        message = (
            f"warning: loss before training is {loss:.2f}, guessing gives {expected:.2f}; "
            "initial weights or input scaling may be too large"
        )
        progress(ProgressEvent(STAGE, message, values={"initial_loss": loss}))


def _event(record: EpochRecord, epochs: int) -> ProgressEvent:
    return ProgressEvent(
        STAGE,
        f"epoch {record.epoch}",
        done=record.epoch,
        total=epochs,
        values={
            "loss": record.train_loss,
            "validation_loss": record.validation_loss,
            "validation_accuracy": record.validation_accuracy,
        },
    )
