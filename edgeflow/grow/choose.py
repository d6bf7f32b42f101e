"""Which proposal to build: the most gain for what it costs on the target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum

from edgeflow.grow.cost import CostOf, NetworkCost
from edgeflow.grow.proposal import Proposal
from edgeflow.grow.sites import widened
from edgeflow.nets.network import NetworkSpec


class CostUnit(StrEnum):
    """What growth pays with."""

    INSTRUCTION = "instruction"  # instructions of one inference
    BYTE = "byte"  # bytes of stored weights


COSTS: Mapping[CostUnit, Callable[[NetworkCost], float]] = {
    CostUnit.INSTRUCTION: lambda cost: cost.instructions,
    CostUnit.BYTE: lambda cost: float(cost.weight_bytes),
}


def choose(
    proposals: Iterable[Proposal],
    cost_of: CostOf,
    spec: NetworkSpec,
    unit: CostUnit,
    within_budget: Callable[[NetworkCost], bool],
) -> Proposal | None:
    """The proposal with the best gain per added unit; the first of equals.

    Only proposals with a positive gain count whose widened network is within the budget; None
    where there is none. A proposal that costs nothing more is better than all that do.
    """
    before = COSTS[unit](cost_of(spec))
    best: tuple[tuple[bool, float], Proposal] | None = None
    for proposal in proposals:
        if proposal.gain <= 0:
            continue
        cost = cost_of(widened(spec, proposal.site, proposal.neurons.count))
        if not within_budget(cost):
            continue
        added = COSTS[unit](cost) - before
        free = added <= 0
        value = (free, proposal.gain if free else proposal.gain / added)
        if best is None or value > best[0]:
            best = (value, proposal)
    return None if best is None else best[1]
