"""Quantization-aware fine-tuning: NNCF's fake quantizers trained with the weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR

from edgeflow.errors import TrainingError
from edgeflow.quantize.freeze import freeze
from edgeflow.quantize.network import StepNetwork
from edgeflow.quantize.options import QuantizeOptions
from edgeflow.train.objective import Objective


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs [N, C, H, W], targets of the task, and the float network's outputs [N, outputs]."""

    x: Tensor
    targets: Tensor
    teacher_outputs: Tensor


@dataclass(frozen=True, eq=False)
class Candidate:
    """A frozen network with its outputs, their score, and its distance to the float network."""

    network: StepNetwork
    outputs: Tensor
    score: float
    distance: float

    def better_than(self, other: Candidate) -> bool:
        """A higher score, or the same and closer to the float network."""
        return (self.score, -self.distance) > (other.score, -other.distance)


def outputs_in_batches(network: StepNetwork, x: Tensor, batch_size: int = 256) -> Tensor:
    """Outputs (logits, where a softmax follows) [N, outputs] without gradient."""
    with torch.no_grad():
        return torch.cat([network.logits(batch) for batch in x.split(batch_size)])


def evaluate(
    frozen: StepNetwork, samples: Samples, objective: Objective, temperature: float
) -> Candidate:
    """Score and distance of a frozen network."""
    outputs = outputs_in_batches(frozen, samples.x)
    distance = float(objective.distance(outputs, samples.teacher_outputs, temperature))
    return Candidate(frozen, outputs, objective.score(outputs, samples.targets), distance)


def fine_tune(
    network: StepNetwork,
    train: Samples,
    validation: Samples,
    objective: Objective,
    options: QuantizeOptions,
    order: torch.Generator,
    after_epoch: Callable[[int, float, Candidate], None],
    after_batch: Callable[[int, int, int, float], None],
) -> Candidate:
    """Train a copy of `network`; the best epoch on `validation`, frozen.

    `order` shuffles; `after_epoch` is told the epoch (from 1), mean training loss and result;
    `after_batch` the epoch, the batch (from 1), the number of batches and the mean loss so far.
    Weights that are exactly zero were pruned, and stay zero. Raises TrainingError when the loss
    stops being a number.
    """
    student = copy.deepcopy(network).train()
    parameters = [p for p in student.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=options.learning_rate)
    pruned = [(p, p.detach() == 0) for p in parameters if p.ndim > 1 and bool((p == 0).any())]
    batches = math.ceil(len(train.x) / options.batch_size)
    schedule = CosineAnnealingLR(optimizer, T_max=options.epochs * batches)
    best: Candidate | None = None
    for epoch in range(1, options.epochs + 1):
        total = 0.0
        seen = 0
        permuted = torch.randperm(len(train.x), generator=order)
        for batch, rows in enumerate(permuted.split(options.batch_size), start=1):
            outputs = student.logits(train.x[rows])
            teacher = train.teacher_outputs[rows]
            soft = objective.distance(outputs, teacher, options.temperature)
            hard = objective.loss(outputs, train.targets[rows], 0.0)
            loss = options.soft_weight * soft + (1.0 - options.soft_weight) * hard
            if not torch.isfinite(loss):
                raise TrainingError(
                    f"quantization-aware fine-tuning: loss {loss.item()} in epoch {epoch}",
                    hint="lower the learning rate of the quantization "
                    f"(it is {options.learning_rate:g})",
                )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for weight, zeros in pruned:
                    weight[zeros] = 0.0
            schedule.step()
            total, seen = total + loss.item() * len(rows), seen + len(rows)
            after_batch(epoch, batch, batches, total / seen)
        candidate = evaluate(freeze(student), validation, objective, options.temperature)
        after_epoch(epoch, total / len(train.x), candidate)
        if best is None or candidate.better_than(best):
            best = candidate
    assert best is not None, "called with at least one epoch"
    return best
