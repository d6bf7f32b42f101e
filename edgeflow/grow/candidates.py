"""What a network can grow by, each with its gain and its cost on the target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from edgeflow.grow.cost import CostOf, NetworkCost
from edgeflow.grow.deepen import insert, insertions
from edgeflow.grow.options import CostUnit, GrowOptions
from edgeflow.grow.propose import PROPOSERS, apply
from edgeflow.grow.sites import Site, Width, sites, widened
from edgeflow.grow.wiring import inner_channels
from edgeflow.nets import specs
from edgeflow.nets.network import NetworkSpec
from edgeflow.train.objective import Objective


@dataclass(frozen=True, eq=False)
class Candidate:
    """A wider or deeper network: `apply` makes it.

    `gain` is by how much the loss falls at first order; `gain_per_cost` is the gain over the added
    cost. Gains of wider candidates and of deeper ones are not comparable: the first is what the new
    weights do at once, the second the square of the gradient that they will be trained by.
    """

    spec: NetworkSpec
    action: str
    gain: float
    gain_per_cost: float
    apply: Callable[[], tuple[NetworkSpec, nn.Module]]


def wider(
    spec: NetworkSpec,
    network: nn.Module,
    x: Tensor,
    targets: Tensor,
    objective: Objective,
    options: GrowOptions,
    cost_of: CostOf,
    generator: torch.Generator,
) -> list[Candidate]:
    """One candidate for each width that can grow."""
    before = cost_of(spec)
    found = []
    for site in sites(spec):
        count = max(options.neurons, width(spec, site) // 6)
        proposal = PROPOSERS[options.method](
            spec, network, site, x, targets, objective, count, generator
        )
        added = proposal.neurons.count
        grown = widened(spec, site, added)
        place = "inside" if site.width is Width.INNER else "after"
        found.append(
            Candidate(
                spec=grown,
                action=f"{added} channels more {place} cell {site.cell}",
                gain=proposal.gain,
                gain_per_cost=proposal.gain / _added(before, cost_of(grown), options.cost),
                apply=partial(apply, spec, network, proposal, x, targets, objective),
            )
        )
    return found


def deeper(
    spec: NetworkSpec,
    network: nn.Module,
    x: Tensor,
    targets: Tensor,
    objective: Objective,
    options: GrowOptions,
    cost_of: CostOf,
) -> list[Candidate]:
    """One candidate for each cell that can be inserted without changing the function."""
    before = cost_of(spec)
    found = []
    for insertion in insertions(spec):
        grown, module = insert(spec, network, insertion, x)
        gain = _squared_gradient(module, insertion.position, x, targets, objective)
        found.append(
            Candidate(
                spec=grown,
                action=f"{insertion.cell.kind} inserted before cell {insertion.position}",
                gain=gain,
                gain_per_cost=gain / _added(before, cost_of(grown), options.cost),
                apply=partial(_made, grown, module),
            )
        )
    return found


def width(spec: NetworkSpec, site: Site) -> int:
    """Channels or units that a site has."""
    if site.width is Width.OUTPUT:
        return spec.shapes()[site.cell + 1][2]
    cell = spec.cells[site.cell]
    if isinstance(cell, specs.InvertedResidual):
        return inner_channels(cell, spec.shapes()[site.cell][2])
    assert isinstance(cell, specs.Residual)
    return cell.inner_channels or cell.channels


def _made(spec: NetworkSpec, network: nn.Module) -> tuple[NetworkSpec, nn.Module]:
    return spec, network


def _added(before: NetworkCost, after: NetworkCost, unit: CostUnit) -> float:
    """Cost that is added, at least 1: a wider layer may even run faster, in whole vectors."""
    if unit is CostUnit.INSTRUCTIONS:
        return max(1.0, after.instructions - before.instructions)
    return max(1.0, after.weight_bytes - before.weight_bytes)


def _squared_gradient(
    network: nn.Module, position: int, x: Tensor, targets: Tensor, objective: Objective
) -> float:
    """The square of the loss's gradient with respect to the parameters of the inserted cell.

    Times the learning rate it is what the first step of gradient descent on them gains.
    """
    was_training = network.training
    network.eval()
    cell = list(network.children())[position]
    loss = objective.loss(network(x), targets, 0.0)
    gradients = torch.autograd.grad(loss, list(cell.parameters()), allow_unused=True)
    network.train(was_training)
    return sum(float(g.double().square().sum()) for g in gradients if g is not None)
