"""Growth: TINY against GradMax and random neurons, grown against fixed networks.

Grown networks train again after each growth, from the full learning rate; fixed ones train once,
for as many epochs as the same compute gives.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from benchmarks.train.frame import (
    Better,
    Comparison,
    Data,
    Effort,
    Measured,
    Say,
    dataset,
    epochs_within,
)
from benchmarks.train.growing import (
    Course,
    Network,
    accuracy_on_test,
    grow,
    parameters_of,
    trained,
)
from benchmarks.train.growth_methods import PAPER, methods
from edgeflow.data.dataset import Dataset
from edgeflow.nets.network import NetworkSpec, build
from edgeflow.nets.specs import (
    AnyCell,
    Convolution,
    DepthwiseSeparable,
    GlobalAveragePool,
    Logits,
)

COURSES = (
    Course(
        Data.DIGITS,
        (
            Convolution(channels=3),
            Convolution(channels=4, stride=(2, 2)),
            Convolution(channels=4, stride=(2, 2)),
            GlobalAveragePool(),
            Logits(units=10),
        ),
        added=2,
        steps=6,
        epochs=5,
        last_epochs=25,
    ),
    Course(
        Data.SPOKEN_DIGITS,
        (
            Convolution(channels=4, kernel=(5, 5), stride=(2, 2)),
            DepthwiseSeparable(channels=6),
            DepthwiseSeparable(channels=6, stride=(2, 1)),
            GlobalAveragePool(),
            Logits(units=10),
        ),
        added=3,
        steps=5,
        epochs=3,
        last_epochs=12,
    ),
    Course(
        Data.CIFAR10,
        (
            Convolution(channels=6, stride=(2, 2)),
            Convolution(channels=8, stride=(2, 2)),
            Convolution(channels=8, stride=(2, 2)),
            GlobalAveragePool(),
            Logits(units=10),
        ),
        added=4,
        steps=3,
        epochs=1,
        last_epochs=2,
    ),
)


def compare(effort: Effort, say: Say) -> Iterator[Comparison]:
    """Every comparison of growth, data by data."""
    for course in COURSES:
        data = dataset(course.data, effort)
        if data is None:
            say(f"{course.data} is absent: skipped")
            continue
        chosen = course.shorter() if effort is Effort.QUICK else course
        say(f"{course.data}: where new neurons come from")
        yield from methods(chosen, data, effort)
        say(f"{course.data}: grown against fixed")
        yield from _grown_against_fixed(chosen, data, effort)


def _grown_against_fixed(course: Course, data: Dataset, effort: Effort) -> Iterator[Comparison]:
    networks: list[Network] = []
    values: list[float] = []
    fixed: dict[float, list[float]] = {factor: [] for factor in course.factors}
    for seed in effort.seeds:
        network = grow(course, data, seed)
        networks.append(network)
        values.append(accuracy_on_test(network, data))
        for factor in course.factors:
            spec = scaled(network.spec, factor)
            epochs = epochs_within(spec, len(data.train), network.macs)
            untrained = Network(spec, build(spec, seed), 0.0)
            fixed[factor].append(accuracy_on_test(trained(untrained, data, epochs, seed), data))
    macs = statistics.fmean(n.macs for n in networks)
    sizes = {f: [parameters_of(scaled(n.spec, f)) for n in networks] for f in course.factors}
    measured = [Measured("grown", tuple(values), _mean_size(sizes[1.0]), macs)]
    for factor in course.factors:
        name = "fixed, same size" if factor == 1.0 else f"fixed, {factor:g} times as wide"
        measured.append(Measured(name, tuple(fixed[factor]), _mean_size(sizes[factor]), macs))
    yield Comparison(
        "a grown network is as good as a fixed one of its size",
        PAPER,
        course.data,
        "test accuracy",
        Better.HIGHER,
        (measured[0], measured[1 + course.factors.index(1.0)]),
        f"{course.steps} growths; the grown one's compute includes the search for neurons",
    )
    needed = [
        min(
            (sizes[f][i] for f in course.factors if fixed[f][i] >= value),
            default=sizes[course.factors[-1]][i],
        )
        for i, value in enumerate(values)
    ]
    own = [float(size) for size in sizes[1.0]]
    beaten = sum(max(fixed[f][i] for f in course.factors) < value for i, value in enumerate(values))
    accuracies = ", ".join(f"{m.method}: {m.mean:.3f}" for m in measured)
    yield Comparison(
        "a grown network needs fewer parameters than a fixed one of its accuracy",
        PAPER,
        course.data,
        "parameters",
        Better.LOWER,
        (
            Measured("grown", tuple(own), _mean_size(sizes[1.0]), macs),
            Measured("fixed", tuple(float(n) for n in needed), _mean_size(needed), macs),
        ),
        f"the narrowest of the fixed that is as good, equal compute ({accuracies}); "
        f"for {beaten} of {len(values)} seeds none is, and the widest stands in",
    )


def scaled(spec: NetworkSpec, factor: float) -> NetworkSpec:
    """The network with every width but the outputs times `factor`."""
    cells: list[AnyCell] = []
    for cell in spec.cells:
        if isinstance(cell, Convolution | DepthwiseSeparable):
            channels = max(1, round(cell.channels * factor))
            cells.append(cell.model_copy(update={"channels": channels}))
        else:
            cells.append(cell)
    return NetworkSpec(name=spec.name, input_shape=spec.input_shape, cells=tuple(cells))


def _mean_size(sizes: Sequence[int]) -> int:
    return round(statistics.fmean(sizes))
