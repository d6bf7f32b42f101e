"""A network that grows in a benchmark, and the multiply-accumulates that it takes.

Training counts, and the passes over samples that look for neurons and their amplitude as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor, nn

from benchmarks.train.frame import Data, forward_macs, parameters, training_macs
from edgeflow.data.dataset import Dataset, prepare
from edgeflow.grow.options import GrowthMethod
from edgeflow.grow.propose import PROPOSERS, Proposer, apply
from edgeflow.grow.sites import Site, sites, widened
from edgeflow.nets.layout import network_input
from edgeflow.nets.network import NetworkSpec, build
from edgeflow.nets.specs import AnyCell
from edgeflow.train.evaluate import accuracy
from edgeflow.train.fit import fit
from edgeflow.train.objective import OBJECTIVES
from edgeflow.train.options import TrainOptions

SAMPLES = 256  # training samples that neurons are found on
# Passes over them, in forward passes: statistics with gradients of activations, and line search.
STATISTICS_PASSES = 12
LINE_SEARCH_PASSES = 26


@dataclass(frozen=True)
class Course:
    """A network to start from and how it grows: `added` channels at a time, `steps` times.

    `factors` are the widths of the fixed networks against the grown one's, narrowest first, 1 among
    them.
    """

    data: Data
    cells: tuple[AnyCell, ...]
    added: int
    steps: int
    epochs: int
    last_epochs: int
    factors: tuple[float, ...] = (0.7, 1.0, 1.5)

    def shorter(self) -> Course:
        """As little as runs every part."""
        return replace(self, steps=2, epochs=1, last_epochs=2)


@dataclass(frozen=True, eq=False)
class Network:
    """A trained network, its specification and the multiply-accumulates spent on it so far."""

    spec: NetworkSpec
    module: nn.Module
    macs: float


@dataclass(frozen=True, eq=False)
class Samples:
    """Training samples `of` a data set that growth looks at."""

    of: Dataset
    x: Tensor
    targets: Tensor


def grow(course: Course, data: Dataset, seed: int) -> Network:
    """From the start to the end: each time at the width with the most gain per new parameter."""
    samples = samples_of(data, seed)
    network = start(course, data, seed)
    for step in range(course.steps):
        places = sites(network.spec)
        network = grown(network, places, PROPOSERS[GrowthMethod.TINY], course.added, samples, seed)
        epochs = course.epochs if step + 1 < course.steps else course.last_epochs
        network = trained(network, data, epochs, seed)
    return network


def start(course: Course, data: Dataset, seed: int) -> Network:
    """The first network, trained for the course's epochs."""
    height, width, channels = data.train.x.shape[1:]
    spec = NetworkSpec(name="grown", input_shape=(height, width, channels), cells=course.cells)
    return trained(Network(spec, build(spec, seed), 0.0), data, course.epochs, seed)


def trained(network: Network, data: Dataset, epochs: int, seed: int) -> Network:
    """The network after some more epochs."""
    options = TrainOptions(epochs=epochs, seed=seed, sanity_checks=False)
    module = fit(network.module, data, options).network
    spent = training_macs(network.spec, len(data.train), epochs)
    return Network(network.spec, module, network.macs + spent)


def grown(
    network: Network,
    places: Sequence[Site],
    propose: Proposer,
    added: int,
    samples: Samples,
    seed: int,
) -> Network:
    """The network with `added` neurons at the place with the most gain per new parameter."""
    objective = OBJECTIVES[samples.of.task]
    generator = torch.Generator().manual_seed(seed)
    found = [
        propose(
            network.spec,
            network.module,
            place,
            samples.x,
            samples.targets,
            objective,
            added,
            generator,
        )
        for place in places
    ]
    size = parameters_of(network.spec)

    def value(index: int) -> float:
        wider = widened(network.spec, places[index], found[index].neurons.count)
        return found[index].gain / (parameters_of(wider) - size)

    best = found[max(range(len(found)), key=value)]
    spec, module = apply(network.spec, network.module, best, samples.x, samples.targets, objective)
    passes = STATISTICS_PASSES * len(places) + LINE_SEARCH_PASSES
    return Network(spec, module, network.macs + passes * len(samples.x) * forward_macs(spec))


def samples_of(data: Dataset, seed: int) -> Samples:
    """Training samples that growth looks at, drawn by the seed."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randperm(len(data.train), generator=generator)[:SAMPLES]
    part = data.train.select(rows.sort().values.numpy())
    x = network_input(prepare(data.preprocessing, part.x))
    return Samples(data, x, OBJECTIVES[data.task].targets(part, x))


def accuracy_on_test(network: Network, data: Dataset) -> float:
    """Fraction of the test part that is told right."""
    return accuracy(network.module, prepare(data.preprocessing, data.test.x), data.test.labels)


@cache
def parameters_of(spec: NetworkSpec) -> int:
    """As `frame.parameters`, counted once for each specification."""
    return parameters(spec)
