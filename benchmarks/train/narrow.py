"""Go wide, then narrow: a thin network that starts from a wider twin, and one from scratch.

From scratch once for as many epochs as the last training of the other has, and once for as many as
the compute of twin, imitation and last training together gives.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace

from benchmarks.train.frame import (
    FORWARD_AND_BACKWARD,
    Better,
    Comparison,
    Data,
    Effort,
    Measured,
    Say,
    dataset,
    epochs_within,
    forward_macs,
    parameters,
    training_macs,
)
from benchmarks.train.growing import Network, accuracy_on_test, trained
from edgeflow.data.dataset import Dataset
from edgeflow.grow.blocks import ends_of_blocks, widened
from edgeflow.grow.narrow import narrowed
from edgeflow.grow.narrow_options import NarrowOptions
from edgeflow.nets.network import NetworkSpec, build
from edgeflow.nets.specs import (
    AnyCell,
    Convolution,
    DepthwiseSeparable,
    GlobalAveragePool,
    Logits,
    Residual,
)
from edgeflow.train.options import TrainOptions

PAPER = "arXiv 2007.00811"


@dataclass(frozen=True)
class Course:
    """A thin network, how its twin is imitated, and how long it trains with labels."""

    data: Data
    cells: tuple[AnyCell, ...]
    narrow: NarrowOptions
    epochs: int

    def shorter(self) -> Course:
        """As little as runs every part."""
        short = {"wide_epochs": 1, "imitation_epochs": 1, "output_epochs": 1}
        return replace(self, narrow=self.narrow.model_copy(update=short), epochs=1)


COURSES = (
    Course(
        Data.DIGITS,
        (
            Convolution(channels=4),
            Residual(channels=4),
            Residual(channels=8, stride=(2, 2)),
            GlobalAveragePool(),
            Logits(units=10),
        ),
        NarrowOptions(width=3, wide_epochs=8, imitation_epochs=2, output_epochs=4),
        epochs=10,
    ),
    Course(
        Data.SPOKEN_DIGITS,
        (
            Convolution(channels=8, kernel=(5, 5), stride=(2, 2)),
            DepthwiseSeparable(channels=8),
            DepthwiseSeparable(channels=12, stride=(2, 1)),
            GlobalAveragePool(),
            Logits(units=10),
        ),
        NarrowOptions(width=3, wide_epochs=8, imitation_epochs=2, output_epochs=4),
        epochs=10,
    ),
    Course(
        Data.CIFAR10,
        (
            Convolution(channels=6, stride=(2, 2)),
            Convolution(channels=8, stride=(2, 2)),
            Convolution(channels=12, stride=(2, 2)),
            GlobalAveragePool(),
            Logits(units=10),
        ),
        NarrowOptions(width=2, wide_epochs=3, imitation_epochs=1, output_epochs=2),
        epochs=3,
    ),
)


def compare(effort: Effort, say: Say) -> Iterator[Comparison]:
    """At equal epochs and at equal compute, data by data."""
    for course in COURSES:
        data = dataset(course.data, effort)
        if data is None:
            say(f"{course.data} is absent: skipped")
            continue
        say(f"{course.data}: wide, then narrow")
        yield from _compared(course.shorter() if effort is Effort.QUICK else course, data, effort)


def _compared(course: Course, data: Dataset, effort: Effort) -> Iterator[Comparison]:
    height, width, channels = data.input_shape_hwc
    spec = NetworkSpec(name="thin", input_shape=(height, width, channels), cells=course.cells)
    macs = compute(spec, course, len(data.train))
    longer = epochs_within(spec, len(data.train), macs)
    found: dict[str, list[float]] = {"twin": [], "narrowed": [], "as long": [], "as much": []}
    for seed in effort.seeds:
        wide_spec = widened(spec, course.narrow.width)
        untrained = Network(wide_spec, build(wide_spec, seed), 0.0)
        wide = trained(untrained, data, course.narrow.wide_epochs, seed)
        options = TrainOptions(epochs=course.epochs, seed=seed)
        thin = narrowed(spec, wide.module, data, options, course.narrow)
        narrow = trained(Network(spec, thin, 0.0), data, course.epochs, seed)
        scratch = Network(spec, build(spec, seed), 0.0)
        for name, network in (
            ("twin", wide),
            ("narrowed", narrow),
            ("as long", trained(scratch, data, course.epochs, seed)),
            ("as much", trained(scratch, data, longer, seed)),
        ):
            found[name].append(accuracy_on_test(network, data))
    own = training_macs(spec, len(data.train), course.epochs)
    size = parameters(spec)
    first = Measured("wide, then narrow", tuple(found["narrowed"]), size, macs)
    note = (
        f"twin {course.narrow.width} times as wide, {course.narrow.wide_epochs} epochs "
        f"(accuracy {statistics.fmean(found['twin']):.3f}), then {course.epochs} epochs thin"
    )
    for claim, other in (
        (
            "a thin network is better from its wide twin than from scratch, equal epochs with "
            "labels",
            Measured("from scratch, equal epochs", tuple(found["as long"]), size, own),
        ),
        (
            "a thin network is better from its wide twin than from scratch, equal compute",
            Measured(f"from scratch, {longer} epochs", tuple(found["as much"]), size, macs),
        ),
    ):
        measured = (first, other)
        yield Comparison(claim, PAPER, course.data, "test accuracy", Better.HIGHER, measured, note)


def compute(spec: NetworkSpec, course: Course, samples: int) -> float:
    """Multiply-accumulates of the twin's training, of the imitation and of the last training."""
    wide_spec, narrow = widened(spec, course.narrow.width), course.narrow
    passes = FORWARD_AND_BACKWARD
    imitation = narrow.output_epochs * (forward_macs(wide_spec) + passes * forward_macs(spec))
    thin, wide = _up_to_blocks(spec), _up_to_blocks(wide_spec)
    maps = _maps(spec, wide_spec)
    for block, below in enumerate((0.0, *thin[:-1])):
        own = thin[block] - below + maps[block]
        lower = below + sum(maps[:block])
        imitation += narrow.imitation_epochs * (wide[block] + lower + passes * own)
    return (
        training_macs(wide_spec, samples, narrow.wide_epochs)
        + samples * imitation
        + training_macs(spec, samples, course.epochs)
    )


def _up_to_blocks(spec: NetworkSpec) -> list[float]:
    """Multiply-accumulates from the input to the end of each block."""
    parts: list[float] = []
    for end in ends_of_blocks(spec)[:-1]:
        cells = (*spec.cells[:end], Logits(units=1))
        part = NetworkSpec(name=spec.name, input_shape=spec.input_shape, cells=cells)
        height, width, channels = spec.shapes()[end]
        parts.append(forward_macs(part) - height * width * channels)
    return [*parts, float(forward_macs(spec))]


def _maps(spec: NetworkSpec, wide_spec: NetworkSpec) -> list[float]:
    """Multiply-accumulates of the two maps at the end of each block; more than are there."""
    shapes = zip(spec.shapes(), wide_spec.shapes(), strict=True)
    each = [2.0 * thin[0] * thin[1] * thin[2] * wide[2] for thin, wide in shapes]
    return [*(each[end] for end in ends_of_blocks(spec)[:-1]), 0.0]
