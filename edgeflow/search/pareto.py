"""The front of a search: the best choice for each of many budgets of instructions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgeflow.errors import InfeasibleError
from edgeflow.grow.cost import Limits
from edgeflow.search.costs import CandidateCosts
from edgeflow.search.formulate import formulate
from edgeflow.search.problem import Solution
from edgeflow.search.program import solve
from edgeflow.search.space import Space


def front(
    space: Space,
    scores: Sequence[NDArray[np.float64]],
    costs: CandidateCosts,
    limits: Limits,
    points: int,
) -> tuple[Solution, ...]:
    """Solutions for `points` budgets of instructions, from few to many, each proven.

    The budgets lie at equal ratios between the fewest instructions that any choice takes and those
    of the original cells; the other limits hold for all. Budgets that cannot be kept with the other
    limits are left out, and so are those that allow nothing better than the one before.
    """
    least = costs.fixed_instructions + sum(float(own.min()) for own in costs.instructions)
    most = costs.fixed_instructions + sum(float(own[0]) for own in costs.instructions)
    if not 0 < least < most:
        return ()
    found: list[Solution] = []
    for budget in np.geomspace(least, most, points + 1)[1:]:
        asked = replace(limits, instructions=int(budget))
        try:
            solution = solve(formulate(space, scores, costs, asked))
        except InfeasibleError:
            continue
        if not found or solution.choice != found[-1].choice:
            found.append(solution)
    return tuple(found)
