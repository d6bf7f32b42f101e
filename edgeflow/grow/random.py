"""Random new neurons: what growing by a criterion has to beat.

Incoming and outgoing weights from a normal distribution, no bias, as a layer's own at the start;
both signs tried, size and amplitude as for every other proposal.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgeflow.grow.probe import Probe, probe
from edgeflow.grow.proposal import Directions, Proposal, better_signs, proposal
from edgeflow.grow.sites import Site
from edgeflow.nets.network import NetworkSpec
from edgeflow.train.objective import Objective


def propose(
    spec: NetworkSpec,
    network: torch.nn.Module,
    site: Site,
    x: Tensor,
    targets: Tensor,
    objective: Objective,
    count: int,
    generator: torch.Generator,
) -> Proposal:
    """`count` neurons drawn from `generator`. Raises ModelError where the site cannot grow."""
    at = probe(spec, network, site, x, targets, objective)
    features = at.producer.weight[0].numel()
    drawn = torch.randn(count, features, generator=generator, dtype=torch.float64)
    incoming = torch.cat([drawn, torch.zeros(count, 1, dtype=torch.float64)], dim=1)
    outgoing = tuple(
        torch.randn(*size, generator=generator, dtype=torch.float64)
        for size in _outgoing_sizes(at, count)
    )
    directions = Directions(incoming / features**0.5, outgoing)
    return proposal(at, better_signs(at, directions, count))


def _outgoing_sizes(at: Probe, count: int) -> list[tuple[int, int, int, int]]:
    return [
        (layer.weight.shape[0], count, *at.arriving)
        if isinstance(layer, torch.nn.Linear)
        else (layer.weight.shape[0], count, layer.weight.shape[2], layer.weight.shape[3])
        for layer in at.consumers
    ]
