"""Sanity checks that learn one batch by heart, and what that shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgeflow.data.dataset import Dataset
from edgeflow.data.task import Task
from edgeflow.train.batches import Batch
from edgeflow.train.objective import Objective
from edgeflow.train.sanity import Check, Finding
from edgeflow.train.sanity_probe import batch_loss, trainable_copy

OVERFIT_SAMPLES = 16
OVERFIT_STEPS = 100
OVERFIT_RATE = 3e-3
# How far below that of guessing the loss of one batch must come: an autoencoder has a bottleneck.
LEARNT = {Task.CLASSIFICATION: 0.3, Task.REGRESSION: 0.3, Task.ANOMALY: 0.8}
IN_VAIN = 0.9  # above this part of the loss of guessing nothing was learnt; between, too little


@dataclass(frozen=True, eq=False)
class Overfitted:
    """A network after steps on one batch, its losses, and the layers that never got a gradient."""

    network: nn.Module
    batch: Batch
    losses: tuple[float, ...]
    without_gradient: tuple[str, ...]


def overfit(network: nn.Module, batch: Batch, objective: Objective) -> Overfitted:
    """A copy of `network` after steps on one batch, the last loss being that after all of them."""
    trained = trainable_copy(network)
    optimizer = torch.optim.AdamW(trained.parameters(), lr=OVERFIT_RATE, weight_decay=0.0)
    reached: set[str] = set()
    losses = []
    for _ in range(OVERFIT_STEPS):
        loss = objective.loss(trained(batch.x), batch.targets, 0.0)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        reached |= {
            name.rpartition(".")[0]
            for name, parameter in trained.named_parameters()
            if parameter.grad is not None and parameter.grad.any()
        }
        optimizer.step()
    losses.append(batch_loss(trained, batch, objective))
    layers = {name.rpartition(".")[0] for name, p in trained.named_parameters() if p.requires_grad}
    return Overfitted(trained, batch, tuple(losses), tuple(sorted(layers - reached)))


def learnt(overfitted: Overfitted, guess: float, task: Task) -> Finding:
    """A network that cannot learn a few samples by heart learns nothing from many."""
    last, wanted = min(overfitted.losses), LEARNT[task] * guess
    message = (
        f"loss on {len(overfitted.batch)} samples {overfitted.losses[0]:.3g} before and {last:.3g} "
        f"after {OVERFIT_STEPS} steps, guessing gives {guess:.3g}"
    )
    if last <= wanted:
        return Finding(Check.OVERFIT, passed=True, message=message)
    return Finding(
        Check.OVERFIT,
        passed=False,
        message=message,
        cause="the network does not use its input, is cut off from its gradient, or is far too "
        "small; or inputs of different classes are equal after preprocessing",
        stops=last > IN_VAIN * guess,
    )


def gradients(overfitted: Overfitted) -> Finding:
    """A layer without gradient never learns."""
    without = overfitted.without_gradient
    if not without:
        return Finding(Check.GRADIENTS, passed=True, message="each of them does")
    return Finding(
        Check.GRADIENTS,
        passed=False,
        message=f"none reaches {', '.join(without)}",
        cause="the layer is not used, comes behind a dead layer, or its output is detached",
    )


def input_matters(overfitted: Overfitted, objective: Objective) -> Finding:
    """The loss must be worse for zeros in the place of the inputs."""
    batch = overfitted.batch
    zeros = Batch(torch.zeros_like(batch.x), batch.targets)
    blank = batch_loss(overfitted.network, zeros, objective)
    last = overfitted.losses[-1]
    message = f"loss {last:.3g} with the inputs and {blank:.3g} with zeros"
    if not blank <= 1.05 * last:
        return Finding(Check.INPUT_MATTERS, passed=True, message=message)
    return Finding(
        Check.INPUT_MATTERS,
        passed=False,
        message=message,
        cause="the network does not use its input",
        stops=True,
    )


def few_of_each(dataset: Dataset) -> NDArray[np.int64]:
    """Positions of a few training samples: from all classes in turn, or spread over the part."""
    count, total = min(OVERFIT_SAMPLES, len(dataset.train)), len(dataset.train)
    if dataset.task is not Task.CLASSIFICATION:
        return np.arange(count) * total // count
    labels = dataset.train.labels
    rank = np.zeros(total, dtype=np.int64)
    for label in np.unique(labels):
        rank[labels == label] = np.arange((labels == label).sum())
    return np.lexsort((labels, rank))[:count]
