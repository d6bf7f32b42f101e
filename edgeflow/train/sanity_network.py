"""Sanity checks of a network on its data: loss, layers, learning rate, predictions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgeflow.data.dataset import Dataset
from edgeflow.data.task import Task
from edgeflow.train.batches import (
    Batch,
    Source,
    batch_order,
    plain_batch,
    plain_batches,
    source,
)
from edgeflow.train.fit import check_outputs
from edgeflow.train.options import TrainOptions
from edgeflow.train.sanity import Check, Finding
from edgeflow.train.sanity_overfit import few_of_each, gradients, input_matters, learnt, overfit
from edgeflow.train.sanity_probe import batch_loss, guessing_loss, trainable_copy

PROBE_SAMPLES = 256
RANGE_STEPS, HELD_STEPS = 30, 10
LOWEST_PART = 1e-3  # of the chosen rate: where the range test starts
EXPLODED = 4.0  # times the loss before, or that of guessing
SAME_OUTPUTS = 1e-4  # of the variance of the targets


def network_findings(
    network: nn.Module, dataset: Dataset, options: TrainOptions, generator: torch.Generator
) -> Iterator[Finding]:
    """Findings about `network`, until one shows that the following ones cannot be had."""
    check_outputs(network, dataset)
    train = source(dataset, dataset.train)
    (probe,) = plain_batches(train, min(PROBE_SAMPLES, len(train)))
    loss = batch_loss(trainable_copy(network), probe, train.objective)
    finite = _finite(loss)
    yield finite
    if not finite.passed:
        return
    yield initial_loss(loss, guessing_loss(dataset, probe, train.objective), dataset)
    yield living_layers(network, probe.x)
    batch = plain_batch(train, few_of_each(dataset))
    overfitted = overfit(network, batch, train.objective)
    yield learnt(overfitted, guessing_loss(dataset, batch, train.objective), dataset.task)
    yield gradients(overfitted)
    yield input_matters(overfitted, train.objective)
    guess = guessing_loss(dataset, probe, train.objective)
    swept, rate = learning_rate_range(network, train, guess, options, generator)
    yield rate
    if rate.passed:
        yield predictions_differ(swept, probe, dataset.task)


def initial_loss(loss: float, guess: float, dataset: Dataset) -> Finding:
    """An untrained network should be about as good as guessing."""
    most = 2 * guess + 1 if dataset.task is Task.CLASSIFICATION else 10 * guess
    message = f"{loss:.3g}, guessing gives {guess:.3g}"
    if loss <= most:
        return Finding(Check.INITIAL_LOSS, passed=True, message=message)
    cause = "initial weights, most often of the last layer, or inputs are too large"
    if dataset.task is Task.REGRESSION:
        cause += "; or targets are not brought to mean 0 and deviation 1"
    return Finding(Check.INITIAL_LOSS, passed=False, message=message, cause=cause)


def living_layers(network: nn.Module, x: Tensor) -> Finding:
    """A ReLU that gives 0 for every input passes nothing on, forwards or backwards."""
    largest: dict[str, float] = {}

    def watch(name: str, module: nn.Module) -> None:
        def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            largest[name] = max(largest.get(name, 0.0), float(output.max()))

        module.register_forward_hook(note)

    probe = trainable_copy(network)
    for name, module in probe.named_modules():
        if isinstance(module, nn.ReLU | nn.ReLU6):
            watch(name, module)
    with torch.no_grad():
        probe(x)
    dead = [name for name, value in largest.items() if value <= 0]
    if not dead:
        return Finding(Check.LIVING_LAYERS, True, f"{len(largest)} ReLU layers pass something on")
    return Finding(
        Check.LIVING_LAYERS,
        passed=False,
        message=f"{', '.join(dead)} gives 0 for each of {len(x)} samples",
        cause="a large negative bias or offset before it, or inputs of the wrong sign",
        stops=True,
    )


def learning_rate_range(
    network: nn.Module,
    train: Source,
    guess: float,
    options: TrainOptions,
    generator: torch.Generator,
) -> tuple[nn.Module, Finding]:
    """The range test up to the chosen rate (Smith 2015, section 3.3), and a copy trained by it.

    The rate grows exponentially over the steps and is then held; a loss that is far above the first
    one and that of guessing there has exploded.
    """
    trained = trainable_copy(network)
    optimizer = torch.optim.AdamW(trained.parameters(), weight_decay=options.weight_decay)
    losses: list[float] = []
    indices = _endless(len(train), min(options.batch_size, PROBE_SAMPLES), generator)
    for step in range(RANGE_STEPS + HELD_STEPS):
        part = max(0.0, 1 - step / RANGE_STEPS)
        optimizer.param_groups[0]["lr"] = rate = options.learning_rate * LOWEST_PART**part
        batch = plain_batch(train, next(indices))
        loss = train.objective.loss(trained(batch.x), batch.targets, options.label_smoothing)
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    last = median(losses[-HELD_STEPS:]) if math.isfinite(losses[-1]) else losses[-1]
    message = f"loss {last:.3g} at a rate of {rate:.3g}, guessing gives {guess:.3g}"
    if last <= EXPLODED * max(guess, losses[0]):
        return trained, Finding(Check.LEARNING_RATE, passed=True, message=message)
    return trained, Finding(
        Check.LEARNING_RATE,
        passed=False,
        message=message,
        cause=f"[train] learning_rate = {options.learning_rate:g} is too high: try a tenth",
        stops=True,
    )


def predictions_differ(network: nn.Module, probe: Batch, task: Task) -> Finding:
    """After some steps on real data, not every sample should get the same answer."""
    with torch.no_grad():
        outputs = network(probe.x)
    if task is Task.CLASSIFICATION:
        count = len(outputs.argmax(dim=1).unique())
        same, message = count == 1, f"{count} different classes for {len(outputs)} samples"
    else:
        spread, wanted = outputs.var(dim=0).sum().item(), probe.targets.var(dim=0).sum().item()
        same = spread <= SAME_OUTPUTS * wanted
        message = f"variance of answers {spread:.3g}, of targets {wanted:.3g}"
    cause = "one class rules, or inputs say little about the targets" if same else ""
    return Finding(Check.PREDICTIONS, not same, f"{message}, after some steps", cause)


def _finite(loss: float) -> Finding:
    if math.isfinite(loss):
        return Finding(Check.FINITE, passed=True, message="no NaN, no infinity")
    return Finding(
        Check.FINITE,
        passed=False,
        message=f"the untrained network's loss is {loss}",
        cause="inputs of a wrong scale, or weights that hold NaN",
        stops=True,
    )


def _endless(
    count: int, batch_size: int, generator: torch.Generator
) -> Iterator[NDArray[np.int64]]:
    while True:
        for index in batch_order(count, batch_size, generator):
            yield index.numpy()
