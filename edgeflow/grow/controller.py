"""Growth under a device's limits: train, find what pays most for its cost, grow, train again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from edgeflow.data.dataset import Dataset, prepare
from edgeflow.errors import InfeasibleError
from edgeflow.grow.candidates import Candidate, deeper, wider
from edgeflow.grow.cost import DeviceCost
from edgeflow.grow.options import GrowOptions
from edgeflow.grow.plateau import has_plateaued
from edgeflow.grow.record import Grown, GrowthPoint, Stopped, Terms
from edgeflow.nets import network as networks
from edgeflow.nets.layout import network_input
from edgeflow.nets.network import NetworkSpec
from edgeflow.progress import Progress, ProgressEvent, silent
from edgeflow.train.determinism import deterministic
from edgeflow.train.fit import STAGE, EpochRecord, TrainedNetwork, fit
from edgeflow.train.objective import OBJECTIVES
from edgeflow.train.options import TrainOptions


@dataclass(frozen=True, eq=False)
class _Network:
    """An untrained or newly grown network that the target and the limits allow."""

    spec: NetworkSpec
    module: nn.Module
    cost: DeviceCost
    action: str
    is_deeper: bool = False


@dataclass(frozen=True, eq=False)
class _Step:
    """A network after its training."""

    network: _Network
    trained: TrainedNetwork
    point: GrowthPoint


@dataclass(frozen=True, eq=False)
class _Samples:
    x: Tensor
    targets: Tensor


def grow(
    spec: NetworkSpec,
    dataset: Dataset,
    options: GrowOptions,
    train: TrainOptions,
    terms: Terms,
    progress: Progress = silent,
    *,
    checkpoints: Path | None = None,
) -> Grown:
    """Grow the network of `spec` from untrained until `terms` say stop; train the best to the end.

    Every network that is taken was counted on the device. With a folder for `checkpoints`, growth
    that was interrupted repeats its decisions, which need no training, and goes on to the same
    result. Raises InfeasibleError where the first network exceeds a limit, TrainingError as `fit`.
    """
    short = train.model_copy(update={"epochs": options.epochs, "patience": 0})
    network = _first(spec, terms, train.seed)
    steps: list[_Step] = []
    with deterministic(train.seed, train.threads) as generator:
        samples = _samples(dataset, options, generator)
        while True:
            steps.append(_train(network, dataset, short, steps, progress, checkpoints))
            progress(_event(steps[-1].point))
            stopped = _reason_to_stop(steps, options, terms)
            if stopped is not None:
                break
            found = _next(steps, samples, dataset, options, terms, generator)
            if isinstance(found, Stopped):
                stopped = found
                break
            network = found
    best = max(steps, key=lambda step: (step.point.score, -step.point.cost.instructions))
    network = replace(best.network, module=best.trained.network, action="the best trained on")
    last = _train(network, dataset, train, steps, progress, checkpoints)
    trained = max(best.trained, last.trained, key=lambda t: t.validation_score)
    end = replace(last.point, score=trained.validation_score)
    curve = (*(step.point for step in steps), end)
    return Grown(network.spec, trained, curve, _history([*steps, last]), stopped)


def _history(steps: Sequence[_Step]) -> tuple[EpochRecord, ...]:
    records = [record for step in steps for record in step.trained.history]
    return tuple(replace(record, epoch=i) for i, record in enumerate(records, start=1))


def _reason_to_stop(steps: Sequence[_Step], options: GrowOptions, terms: Terms) -> Stopped | None:
    scores = [step.point.score for step in steps]
    if terms.goal is not None and scores[-1] >= terms.goal:
        return Stopped.GOAL
    if len(scores) - 1 - scores.index(max(scores)) >= options.give_up:
        return Stopped.STANDSTILL
    return Stopped.STEPS if len(scores) > options.steps else None


def _next(
    steps: Sequence[_Step],
    samples: _Samples,
    dataset: Dataset,
    options: GrowOptions,
    terms: Terms,
    generator: torch.Generator,
) -> _Network | Stopped:
    """The last network, grown by what pays most and is allowed; depth where it stands still."""
    spec, module = steps[-1].network.spec, steps[-1].trained.network
    arguments = (spec, module, samples.x, samples.targets, OBJECTIVES[dataset.task], options)
    offered = False
    for deep in (True, False) if _is_deepened(steps, options) else (False, True):
        if deep and not options.deepen:
            continue
        candidates = (
            deeper(*arguments, terms.estimate)
            if deep
            else wider(*arguments, terms.estimate, generator)
        )
        for candidate in _by_gain_per_cost(candidates):
            offered = True
            cost = terms.allowed(candidate.spec)
            if cost is not None:
                return _Network(*candidate.apply(), cost, candidate.action, deep)
    return Stopped.LIMITS if offered else Stopped.NO_GAIN


def _is_deepened(steps: Sequence[_Step], options: GrowOptions) -> bool:
    """Whether the trainings since the network became deeper have come to stand still."""
    since = max((i for i, step in enumerate(steps) if step.network.is_deeper), default=0)
    history = [s.trained.history[s.trained.best_epoch - 1] for s in steps[since:]]
    return has_plateaued(history, options.patience, options.minimal_improvement)


def _by_gain_per_cost(candidates: Sequence[Candidate]) -> list[Candidate]:
    useful = [candidate for candidate in candidates if candidate.gain > 0]
    return sorted(useful, key=lambda candidate: candidate.gain_per_cost, reverse=True)


def _first(spec: NetworkSpec, terms: Terms, seed: int) -> _Network:
    cost = terms.allowed(spec)
    if cost is not None:
        return _Network(spec, networks.build(spec, seed), cost, "start")
    counted = terms.count(spec)
    taken = (
        "does not fit the target"
        if counted is None
        else f"takes {counted.instructions:,} instructions, {counted.flash_bytes:,} bytes of flash "
        f"and {counted.ram_bytes:,} of RAM, over the budget already"
    )
    raise InfeasibleError(
        f"the network {spec.name}, from which growth starts, {taken}",
        hint="loosen the budget, or start from a smaller network with --model",
    )


def _samples(dataset: Dataset, options: GrowOptions, generator: torch.Generator) -> _Samples:
    rows = torch.randperm(len(dataset.train), generator=generator)[: options.samples]
    split = dataset.train.select(rows.sort().values.numpy())
    x = network_input(prepare(dataset.preprocessing, split.x))
    return _Samples(x, OBJECTIVES[dataset.task].targets(split, x))


def _train(
    network: _Network,
    dataset: Dataset,
    options: TrainOptions,
    before: Sequence[_Step],
    progress: Progress,
    checkpoints: Path | None,
) -> _Step:
    """One training; its epochs are told as those that come after all before."""
    epochs = before[-1].point.epochs if before else 0

    def tell(event: ProgressEvent) -> None:
        if event.done:
            message = f"epoch {epochs + event.done}, {network.action}"
            progress(replace(event, message=message, done=epochs + event.done, total=0))

    checkpoint = None if checkpoints is None else checkpoints / f"training-{len(before)}"
    trained = fit(network.module, dataset, options, tell, checkpoint=checkpoint)
    point = GrowthPoint(
        action=network.action,
        epochs=epochs + len(trained.history),
        parameters=sum(p.numel() for p in network.module.parameters()),
        score=trained.validation_score,
        cost=network.cost,
    )
    return _Step(network, trained, point)


def _event(point: GrowthPoint) -> ProgressEvent:
    return ProgressEvent(
        STAGE,
        f"growth: {point.action}",
        values={
            "parameters": point.parameters,
            "instructions": point.cost.instructions,
            "flash_bytes": point.cost.flash_bytes,
            "score": point.score,
        },
    )
