"""Where new neurons come from: TINY against GradMax and random neurons on the same networks.

Twice: each method as it is, and the directions alone. TINY changes existing weights too, and solves
outgoing weights for the neurons as they are; for the second comparison, both are solved for the
incoming weights of every method alike, and for no new neurons at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.train.frame import Better, Comparison, Effort, Measured
from benchmarks.train.growing import (
    Course,
    Network,
    Samples,
    accuracy_on_test,
    grown,
    parameters_of,
    samples_of,
    start,
    trained,
)
from edgeflow.data.dataset import Dataset
from edgeflow.grow.options import GrowthMethod
from edgeflow.grow.probe import probe
from edgeflow.grow.proposal import Directions, Proposal, proposal
from edgeflow.grow.propose import PROPOSERS, Proposer, mean_loss
from edgeflow.grow.sites import Site, sites
from edgeflow.grow.update import best_update
from edgeflow.nets.network import NetworkSpec
from edgeflow.train.objective import OBJECTIVES, Objective

PAPER = "arXiv 2405.19816"
NAMES = {
    "TINY": GrowthMethod.TINY,
    "GradMax": GrowthMethod.GRADMAX,
    "random": GrowthMethod.RANDOM,
}


def methods(course: Course, data: Dataset, effort: Effort) -> Iterator[Comparison]:
    """Each method grows every width of the same trained networks once, then all train on."""
    as_they_are = {name: PROPOSERS[method] for name, method in NAMES.items()}
    alike: dict[str, Proposer] = {
        name: partial(_solved, method) for name, method in NAMES.items()
    } | {"existing weights alone": _existing_alone}
    losses: dict[str, list[float]] = {name: [] for name in as_they_are}
    scores: dict[str, list[float]] = {name: [] for name in as_they_are}
    directions: dict[str, list[float]] = {name: [] for name in alike}
    sizes: dict[str, tuple[int, float]] = {}
    for seed in effort.seeds:
        samples = samples_of(data, seed)
        first = start(course, data, seed)
        for name, network in _each(as_they_are, first, course, samples, seed):
            losses[name].append(_loss(network, samples))
            last = trained(network, data, course.last_epochs, seed)
            scores[name].append(accuracy_on_test(last, data))
            sizes[name] = (parameters_of(last.spec), last.macs)
        for name, network in _each(alike, first, course, samples, seed):
            directions[name].append(_loss(network, samples))
            sizes.setdefault(name, (parameters_of(first.spec), network.macs))
    claim = "neurons that fix the bottleneck are better than those of GradMax and random ones"
    note = f"{course.added} neurons at every width of one trained network, each with a line search"
    for values, what, better, more in (
        (losses, "loss directly after growth", Better.LOWER, "TINY changes existing weights too"),
        (scores, "test accuracy after training on", Better.HIGHER, "as above, then trained alike"),
        (
            directions,
            "loss directly after growth, outgoing weights alike",
            Better.LOWER,
            "outgoing and existing weights solved in the same way for every method",
        ),
    ):
        measured = tuple(Measured(name, tuple(v), *sizes[name]) for name, v in values.items())
        yield Comparison(claim, PAPER, course.data, what, better, measured, f"{note}; {more}")


def _each(
    proposers: Mapping[str, Proposer], first: Network, course: Course, samples: Samples, seed: int
) -> Iterator[tuple[str, Network]]:
    for name, propose in proposers.items():
        network = first
        for site in sites(first.spec):
            network = grown(network, [site], propose, course.added, samples, seed)
        yield name, network


def _loss(network: Network, samples: Samples) -> float:
    return mean_loss(network.module, samples.x, samples.targets, OBJECTIVES[samples.of.task])


def _solved(
    method: GrowthMethod,
    spec: NetworkSpec,
    network: nn.Module,
    site: Site,
    x: Tensor,
    targets: Tensor,
    objective: Objective,
    count: int,
    generator: torch.Generator,
) -> Proposal:
    """The method's incoming weights; outgoing and existing ones as the best update has them."""
    found = PROPOSERS[method](spec, network, site, x, targets, objective, count, generator)
    neurons = found.neurons
    weights = (neurons.incoming.flatten(1) * neurons.scale[:, None]).double()
    incoming = torch.cat([weights, neurons.bias[:, None].double()], dim=1)
    at = probe(spec, network, site, x, targets, objective)
    without = best_update(at, incoming[:0])
    update = best_update(at, incoming)
    directions = Directions(incoming, update.outgoing)
    return proposal(at, directions, update.change, update.gain, without.gain)


def _existing_alone(
    spec: NetworkSpec,
    network: nn.Module,
    site: Site,
    x: Tensor,
    targets: Tensor,
    objective: Objective,
    count: int,
    generator: torch.Generator,
) -> Proposal:
    """The best change of the existing weights; new neurons that nothing reads."""
    found = PROPOSERS[GrowthMethod.RANDOM](
        spec, network, site, x, targets, objective, count, generator
    )
    at = probe(spec, network, site, x, targets, objective)
    without = best_update(at, torch.zeros(0, 1, dtype=torch.float64))
    # As large as the pre-activations at amplitude 1, as every proposal.
    size = sum(float(n.square().sum()) for n in found.neurons.outgoing) ** 0.5
    given = sum(float(c.square().sum()) for c in without.change) ** 0.5
    change = tuple(c * (size / given) for c in without.change)
    return replace(found, neurons=found.neurons.times(0.0), change=change)
