"""GrowNN: networks that get deeper while they train, and networks as deep from the start.

A network trains in rounds until its validation loss stands still, then gets its next cell, which
changes nothing at first; after the last cell it trains longest. The fixed network trains once, for
as many epochs as the same compute gives.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace

from benchmarks.train.frame import (
    Better,
    Comparison,
    Data,
    Effort,
    Measured,
    Say,
    dataset,
    epochs_within,
    parameters,
    training_macs,
)
from benchmarks.train.growing import Network, accuracy_on_test, samples_of, trained
from edgeflow.data.dataset import Dataset
from edgeflow.grow.deepen import Insertion, insert
from edgeflow.grow.plateau import has_plateaued
from edgeflow.nets.network import NetworkSpec, build
from edgeflow.nets.specs import (
    AnyCell,
    Convolution,
    DepthwiseSeparable,
    GlobalAveragePool,
    Logits,
    Residual,
)
from edgeflow.train.fit import EpochRecord, fit
from edgeflow.train.options import TrainOptions

PAPER = "arXiv 2506.11706"
_PATIENCE = 2  # epochs
_MINIMAL_IMPROVEMENT = 0.05


@dataclass(frozen=True)
class Course:
    """A shallow network, the cells that it gets one after another, and rounds of training."""

    data: Data
    cells: tuple[AnyCell, ...]
    inserted: tuple[Insertion, ...]
    epochs: int
    rounds: int
    last_epochs: int

    def shorter(self) -> Course:
        """As little as runs every part."""
        return replace(self, epochs=1, rounds=1, last_epochs=2)


COURSES = (
    Course(
        Data.DIGITS,
        (
            Convolution(channels=8),
            Convolution(channels=8, stride=(2, 2)),
            GlobalAveragePool(),
            Logits(units=10),
        ),
        (Insertion(2, Residual(channels=8)), Insertion(1, Residual(channels=8))),
        epochs=5,
        rounds=3,
        last_epochs=20,
    ),
    Course(
        Data.SPOKEN_DIGITS,
        (
            Convolution(channels=12, kernel=(5, 5), stride=(2, 2)),
            DepthwiseSeparable(channels=12, stride=(2, 1)),
            GlobalAveragePool(),
            Logits(units=10),
        ),
        (
            Insertion(2, DepthwiseSeparable(channels=12)),
            Insertion(3, DepthwiseSeparable(channels=12)),
        ),
        epochs=4,
        rounds=2,
        last_epochs=12,
    ),
    Course(
        Data.CIFAR10,
        (
            Convolution(channels=12, stride=(2, 2)),
            Convolution(channels=16, stride=(2, 2)),
            Convolution(channels=16, stride=(2, 2)),
            GlobalAveragePool(),
            Logits(units=10),
        ),
        (Insertion(3, Residual(channels=16)), Insertion(2, Residual(channels=16))),
        epochs=1,
        rounds=3,
        last_epochs=4,
    ),
)


def compare(effort: Effort, say: Say) -> Iterator[Comparison]:
    """Grown in depth against fixed, data by data."""
    for course in COURSES:
        data = dataset(course.data, effort)
        if data is None:
            say(f"{course.data} is absent: skipped")
            continue
        say(f"{course.data}: deeper step by step")
        yield _compared(course.shorter() if effort is Effort.QUICK else course, data, effort)


def _compared(course: Course, data: Dataset, effort: Effort) -> Comparison:
    grown: list[Network] = []
    values: list[float] = []
    fixed: list[float] = []
    for seed in effort.seeds:
        network = _deepened(course, data, seed)
        grown.append(network)
        values.append(accuracy_on_test(network, data))
        epochs = epochs_within(network.spec, len(data.train), network.macs)
        untrained = Network(network.spec, build(network.spec, seed), 0.0)
        fixed.append(accuracy_on_test(trained(untrained, data, epochs, seed), data))
    macs = statistics.fmean(network.macs for network in grown)
    size = parameters(grown[0].spec)
    return Comparison(
        "a network grown in depth is better than one as deep from the start",
        PAPER,
        course.data,
        "test accuracy",
        Better.HIGHER,
        (
            Measured("grown in depth", tuple(values), size, macs),
            Measured("as deep from the start", tuple(fixed), size, macs),
        ),
        f"{len(course.inserted)} cells inserted where the validation loss stands still; the paper "
        "claims it for reinforcement learning",
    )


def _deepened(course: Course, data: Dataset, seed: int) -> Network:
    x = samples_of(data, seed).x
    height, width, channels = data.input_shape_hwc
    spec = NetworkSpec(name="deeper", input_shape=(height, width, channels), cells=course.cells)
    network = Network(spec, build(spec, seed), 0.0)
    for insertion in course.inserted:
        network = _until_plateau(network, course, data, seed)
        deeper, module = insert(network.spec, network.module, insertion, x, seed)
        network = Network(deeper, module, network.macs)
    return trained(network, data, course.last_epochs, seed)


def _until_plateau(network: Network, course: Course, data: Dataset, seed: int) -> Network:
    """The network after rounds of training, the last of which hardly improved it."""
    history: list[EpochRecord] = []
    options = TrainOptions(epochs=course.epochs, seed=seed)
    for _ in range(course.rounds):
        result = fit(network.module, data, options)
        history += result.history
        spent = training_macs(network.spec, len(data.train), course.epochs)
        network = Network(network.spec, result.network, network.macs + spent)
        if has_plateaued(history, _PATIENCE, _MINIMAL_IMPROVEMENT):
            break
    return network
