"""The frame of the training benchmarks: data, equal compute, and comparisons as values.

A file of this package gives `compare(effort, say) -> Iterator[Comparison]`.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from benchmarks.train import shared
from edgeflow.data.dataset import Dataset
from edgeflow.data.options import DataOptions
from edgeflow.data.sources import load
from edgeflow.graph import cost
from edgeflow.lower.untrained import untrained_graph
from edgeflow.nets.network import NetworkSpec

# A step backwards costs twice a step forwards: gradients of inputs, and of weights.
FORWARD_AND_BACKWARD = 3

Say = Callable[[str], None]


class Effort(StrEnum):
    """How much is trained: enough to see that everything runs, or enough to compare."""

    QUICK = "quick"
    FULL = "full"

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of everything that is trained."""
        return (0,) if self is Effort.QUICK else (0, 1, 2)


class Data(StrEnum):
    """Data sets that methods are compared on."""

    DIGITS = "digits"
    SPOKEN_DIGITS = "spoken digits"
    CIFAR10 = "CIFAR-10"


# Samples (train, validation, test), drawn once; CIFAR-10 whole would take days on a CPU.
_CIFAR10_PARTS = {Effort.QUICK: (500, 200, 200), Effort.FULL: (10_000, 2_000, 5_000)}


def dataset(data: Data, effort: Effort) -> Dataset | None:
    """The data set, split by seed 0; None where its files are absent."""
    if data is Data.DIGITS:
        return load(DataOptions())
    folder = shared.folder({Data.SPOKEN_DIGITS: "spoken_digits", Data.CIFAR10: "cifar10"}[data])
    if folder is None:
        return None
    if data is Data.SPOKEN_DIGITS:
        return load(DataOptions(source=str(folder)))
    return _first(shared.cached_cifar10(folder), _CIFAR10_PARTS[effort])


def _first(whole: Dataset, counts: tuple[int, int, int]) -> Dataset:
    parts = zip(("train", "validation", "test"), counts, strict=True)
    generator = np.random.default_rng(0)
    chosen = {}
    for name, count in parts:
        split = getattr(whole, name)
        index = np.sort(generator.permutation(len(split))[:count])
        chosen[name] = split.select(index)
    return replace(whole, **chosen, name=f"{whole.name}, {counts[0]:,} training images")


def forward_macs(spec: NetworkSpec) -> int:
    """Multiply-accumulates of one inference."""
    graph = untrained_graph(spec)
    return sum(cost.macs(graph, node) for node in graph.nodes)


def parameters(spec: NetworkSpec) -> int:
    """Weights and biases of the deployed network, batch normalization folded in."""
    graph = untrained_graph(spec)
    constants = {name: t for name, t in graph.tensors.items() if t.is_constant}
    return sum(int(np.prod(t.shape)) for t in constants.values())


def training_macs(spec: NetworkSpec, samples: int, epochs: int) -> int:
    """Multiply-accumulates of a training: what is held equal between methods."""
    return FORWARD_AND_BACKWARD * forward_macs(spec) * samples * epochs


def epochs_within(spec: NetworkSpec, samples: int, macs: float) -> int:
    """Whole epochs that a training of `macs` multiply-accumulates has; at least one."""
    return max(1, round(macs / training_macs(spec, samples, 1)))


@dataclass(frozen=True)
class Measured:
    """One method: the value for each seed, the size of its network and the compute of a seed."""

    method: str
    values: tuple[float, ...]
    parameters: int
    training_macs: float

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return statistics.fmean(self.values)

    @property
    def deviation(self) -> float:
        """Sample standard deviation over the seeds; 0 for one seed."""
        return statistics.stdev(self.values) if len(self.values) > 1 else 0.0


class Better(StrEnum):
    """Which of two values is better."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True)
class Comparison:
    """A claim of a paper and what we measured; the first method is the one that is claimed for.

    `what` names the values (test accuracy, loss after growth), `note` says what a reader must know
    of the setting.
    """

    claim: str
    paper: str
    data: str
    what: str
    better: Better
    measured: tuple[Measured, ...]
    note: str = ""

    @property
    def gain(self) -> float:
        """Mean of the first method over the best of the others, positive where it is better."""
        first, *others = (m.mean for m in self.measured)
        if self.better is Better.HIGHER:
            return first - max(others)
        return min(others) - first

    @property
    def holds(self) -> str:
        """`yes`, `no`, or `within the spread`: the gain against two standard errors of it.

        Seeds are paired where the best other method has as many.
        """
        best = (max if self.better is Better.HIGHER else min)(
            self.measured[1:], key=lambda m: m.mean
        )
        error = _standard_error(self.measured[0].values, best.values)
        if abs(self.gain) <= 2 * error:
            return "within the spread"
        return "yes" if self.gain > 0 else "no"


def _standard_error(first: Sequence[float], second: Sequence[float]) -> float:
    if len(first) == len(second):
        differences = [a - b for a, b in zip(first, second, strict=True)]
        if len(differences) < 2:
            return 0.0
        return statistics.stdev(differences) / len(differences) ** 0.5
    variances = [statistics.variance(v) / len(v) if len(v) > 1 else 0.0 for v in (first, second)]
    return float(sum(variances) ** 0.5)
