"""Methods that propose new neurons, by name, and what makes a proposal part of a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from edgeflow.grow import gradmax, random, tiny
from edgeflow.grow.options import GrowthMethod
from edgeflow.grow.proposal import Proposal
from edgeflow.grow.sites import Site
from edgeflow.grow.widen import changed, renormalized, widen
from edgeflow.nets.network import NetworkSpec
from edgeflow.train.objective import Objective

Proposer = Callable[
    [NetworkSpec, nn.Module, Site, Tensor, Tensor, Objective, int, torch.Generator], Proposal
]


PROPOSERS: Mapping[GrowthMethod, Proposer] = {
    GrowthMethod.TINY: tiny.propose,
    GrowthMethod.GRADMAX: gradmax.propose,
    GrowthMethod.RANDOM: random.propose,
}

COARSE_AMPLITUDES = tuple(2.0**k for k in range(-12, 3))
_REFINEMENTS = 8


def grown(
    spec: NetworkSpec, network: nn.Module, proposal: Proposal, amplitude: float
) -> tuple[NetworkSpec, nn.Module]:
    """The widened network with the proposal at `amplitude`; at 0 the function is the old one."""
    site = proposal.site
    if proposal.change is not None:
        like = proposal.neurons.incoming.dtype
        change = tuple((c * amplitude).to(like) for c in proposal.change)
        network = changed(network, spec, site, change)
    return widen(spec, network, site, proposal.neurons.times(amplitude))


def apply(
    spec: NetworkSpec,
    network: nn.Module,
    proposal: Proposal,
    x: Tensor,
    targets: Tensor,
    objective: Objective,
) -> tuple[NetworkSpec, nn.Module]:
    """The widened network at the amplitude with the lowest loss on samples x [N, C, H, W].

    Amplitude 0 is among those tried, so the loss on these samples does not rise. Norms from
    the site on take the statistics of the samples, without changing what evaluation mode gives.
    """
    amplitude = best_amplitude(spec, network, proposal, x, targets, objective)
    wider, module = grown(spec, network, proposal, amplitude)
    return wider, renormalized(module, proposal.site, x)


def best_amplitude(
    spec: NetworkSpec,
    network: nn.Module,
    proposal: Proposal,
    x: Tensor,
    targets: Tensor,
    objective: Objective,
) -> float:
    """Line search: powers of two from 2^-12 to 4 and 0, then golden section between neighbours."""

    # Every weight is linear in the amplitude, so two networks give all between them.
    line = [grown(spec, network, proposal, a)[1] for a in (0.0, 1.0, 0.0)]
    *ends, moving = ([p.detach() for p in module.parameters()] for module in line)

    def loss(amplitude: float) -> float:
        for start, end, weights in zip(*ends, moving, strict=True):
            torch.lerp(start, end, amplitude, out=weights)
        return mean_loss(line[2], x, targets, objective)

    tried = {a: loss(a) for a in (0.0, *COARSE_AMPLITUDES)}
    best = min(tried, key=lambda a: (tried[a], a))
    if best == 0.0:
        return 0.0
    ratio = (5**0.5 - 1) / 2
    low, high = best / 2, min(best * 2, COARSE_AMPLITUDES[-1])
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    for _ in range(_REFINEMENTS):
        for a in (left, right):
            tried[a] = tried[a] if a in tried else loss(a)
        if tried[left] <= tried[right]:
            high, right = right, left
            left = high - ratio * (high - low)
        else:
            low, left = left, right
            right = low + ratio * (high - low)
    return min(tried, key=lambda a: (tried[a], a))


def mean_loss(network: nn.Module, x: Tensor, targets: Tensor, objective: Objective) -> float:
    """Loss over all samples in evaluation mode, summed in float64; modes stay as they were."""
    training = network.training
    network.eval()
    total = 0.0
    with torch.no_grad():
        for batch, wanted in zip(x.split(256), targets.split(256), strict=True):
            total += objective.loss(network(batch).double(), wanted, 0.0).item() * len(batch)
    network.train(training)
    return total / len(x)
