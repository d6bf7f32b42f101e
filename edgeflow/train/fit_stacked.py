"""The training loop of a stack of networks (`train.stack`): what `fit` does, for all at once.

Every network draws its own batches and its own augmentation from its own seed, and its result is
that of `fit` alone, up to the rounding of float32 sums.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.func import vmap

from edgeflow.data.dataset import Dataset
from edgeflow.errors import TrainingError
from edgeflow.progress import Progress, ProgressEvent, silent
from edgeflow.train.batches import (
    Source,
    batch_order,
    plain_batches,
    source,
    steps_per_epoch,
    training_batch,
)
from edgeflow.train.determinism import deterministic
from edgeflow.train.device import compute_device
from edgeflow.train.epoch import STAGE, diverged
from edgeflow.train.fit import TrainedNetwork
from edgeflow.train.options import TrainOptions
from edgeflow.train.schedule import learning_rate, momentum
from edgeflow.train.stack import Stack, forward, side_by_side, stack, state_of
from edgeflow.train.stacked_adamw import Moments, no_moments, update
from edgeflow.train.state import Best, EpochRecord


@dataclass(frozen=True, eq=False)
class Run:
    """One of several trainings: an untrained network, its seed and its learning rate."""

    network: nn.Module
    seed: int
    learning_rate: float


Outcome = TrainedNetwork | TrainingError


@dataclass(eq=False)
class _Member:
    """How one network fares."""

    run: Run
    generator: torch.Generator
    history: list[EpochRecord] = field(default_factory=list)
    best: Best | None = None
    failure: TrainingError | None = None

    def is_finished(self, patience: int) -> bool:
        """After a failure, or after `patience` epochs (if not 0) without a better one."""
        waited = 0 if self.best is None else len(self.history) - self.best.epoch
        return self.failure is not None or 0 < patience <= waited


@dataclass(frozen=True, eq=False)
class _Training:
    networks: Stack
    moments: Moments
    members: tuple[_Member, ...]
    train: Source
    validation: Source
    options: TrainOptions


def fit_stacked(
    runs: Sequence[Run], dataset: Dataset, options: TrainOptions, progress: Progress = silent
) -> tuple[Outcome, ...]:
    """Train networks of the same structure as one program; the best epoch of each is kept.

    `options` hold for all but `seed` and `learning_rate`. A network whose loss stops being finite
    gives its TrainingError and leaves the others alone. Deterministic on one machine.
    """
    device = compute_device(options)
    with deterministic(options.seed, options.threads, device):
        networks = stack([run.network for run in runs], device)
        training = _Training(
            networks=networks,
            moments=no_moments(networks.values.detach()),
            members=tuple(_Member(r, torch.Generator().manual_seed(r.seed)) for r in runs),
            train=source(dataset, dataset.train, device),
            validation=source(dataset, dataset.validation, device),
            options=options,
        )
        for epoch in range(1, options.epochs + 1):
            if all(member.is_finished(options.patience) for member in training.members):
                break
            losses = _train_epoch(training, epoch)
            _validate(training, epoch, losses)
            progress(_event(training, epoch))
    return tuple(_outcome(member) for member in training.members)


def _train_epoch(training: _Training, epoch: int) -> list[float]:
    """Update every network with every batch of its own order; mean losses over samples."""
    options, train, members = training.options, training.train, training.members
    networks, batches = training.networks, steps_per_epoch(len(train), options.batch_size)
    peaks = torch.tensor([[m.run.learning_rate] for m in members], dtype=torch.float64)
    loss_of = _for_each(train.objective.loss, options.label_smoothing)
    orders = zip(
        *(batch_order(len(train), options.batch_size, m.generator) for m in members), strict=True
    )
    total, seen = torch.zeros(len(members), dtype=torch.float64), 0
    for number, indices in enumerate(orders, start=1):
        own = [
            training_batch(train, index, options, member.generator)
            for index, member in zip(indices, members, strict=True)
        ]
        targets = torch.stack([batch.targets for batch in own])
        outputs = forward(networks, side_by_side([b.x for b in own]), training=True)
        losses = loss_of(outputs, targets)
        (gradient,) = torch.autograd.grad(losses.sum(), networks.values)
        step = (epoch - 1) * batches + number
        share = learning_rate(options.schedule, 1.0, step - 1, options.epochs * batches)
        update(
            networks.values,
            gradient,
            training.moments,
            step=step,
            rates=(peaks * share).to(networks.values),
            first_decay=momentum(options.schedule, step - 1, options.epochs * batches),
            weight_decay=options.weight_decay,
        )
        values = losses.detach().cpu().double()
        _note_failures(members, epoch, number, values.tolist(), share)
        total, seen = total + values * len(indices[0]), seen + len(indices[0])
    return (total / seen).tolist()


def _for_each(
    loss: Callable[[Tensor, Tensor, float], Tensor], smoothing: float
) -> Callable[[Tensor, Tensor], Tensor]:
    return vmap(lambda outputs, targets: loss(outputs, targets, smoothing))


def _note_failures(
    members: Sequence[_Member], epoch: int, number: int, losses: Sequence[float], share: float
) -> None:
    for member, loss in zip(members, losses, strict=True):
        if member.failure is None and not math.isfinite(loss):
            rate = share * member.run.learning_rate
            member.failure = diverged(epoch, number, loss, math.nan, rate)


def _validate(training: _Training, epoch: int, losses: Sequence[float]) -> None:
    """Note loss and score of every network that still trains, and the weights of its best epoch."""
    options, validation = training.options, training.validation
    with torch.no_grad():
        batches = [
            (forward(training.networks, batch.x, training=False), batch.targets)
            for batch in plain_batches(validation)
        ]
    outputs = torch.cat([part for part, _ in batches], dim=1)
    targets = torch.cat([part for _, part in batches])
    steps = steps_per_epoch(len(training.train), options.batch_size)
    for index, member in enumerate(training.members):
        if member.is_finished(options.patience):
            continue
        peak, total = member.run.learning_rate, options.epochs * steps
        rate = learning_rate(options.schedule, peak, (epoch - 1) * steps, total)
        loss = validation.objective.loss(outputs[index], targets, 0.0).item()
        if not math.isfinite(loss):
            member.failure = diverged(epoch, 0, loss, math.nan, rate)
            continue
        score = validation.objective.score(outputs[index], targets)
        member.history.append(EpochRecord(epoch, rate, losses[index], loss, score))
        if member.best is None or (score, -loss) > member.best.rank:
            weights = state_of(training.networks, index)
            member.best = Best((score, -loss), epoch, weights)


def _outcome(member: _Member) -> Outcome:
    if member.failure is not None:
        return member.failure
    assert member.best is not None
    network = copy.deepcopy(member.run.network)
    network.load_state_dict(dict(member.best.weights))
    network.eval()
    return TrainedNetwork(network, tuple(member.history), member.best.epoch, member.best.rank[0])


def _event(training: _Training, epoch: int) -> ProgressEvent:
    records = [m.history[-1] for m in training.members if m.failure is None]
    scores = [record.validation_score for record in records] or [math.nan]
    name = f"validation_{training.train.objective.score_name}"
    return ProgressEvent(
        STAGE,
        f"epoch {epoch}, {len(training.members)} networks",
        done=epoch,
        total=training.options.epochs,
        values={name: max(scores), f"lowest_{name}": min(scores)},
    )
