"""Makes an integer program smaller without losing its optimum, before anything is solved.

Charges become cells. Then choices leave that cannot be in any solution, or that another choice of
their cell replaces; so do limits that nothing can exceed. (Kellerer, Pferschy, Pisinger 2004,
Knapsack Problems, section 11.2, for any number of limits and with couplings.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.search.problem import Cell, Charge, Coupling, Limit, Problem, tolerance

Kept = tuple[NDArray[np.int64], ...]
"""For every cell the indices of choices, rising; empty where no solution exists."""


def without_charges(problem: Problem) -> Problem:
    """The same problem with a cell more, unpaid or paid, for every charge on a limit it has."""
    cells, limits = list(problem.cells), {limit.name: limit for limit in problem.limits}
    couplings = list(problem.couplings)
    for charge in problem.charges:
        if charge.limit not in limits or charge.amount == 0:
            continue
        limit, index = limits[charge.limit], len(cells)
        costs = {**limit.costs, index: np.array([0.0, charge.amount])}
        limits[charge.limit] = replace(limit, costs=costs)
        cells.append(Cell(charge.name, ("unpaid", "paid"), np.zeros(2)))
        couplings += _paid(charge, index)
    return Problem(tuple(cells), tuple(limits.values()), tuple(couplings))


def _paid(charge: Charge, index: int) -> list[Coupling]:
    """What is charged goes with the charge's cell being paid alone, the rest with both."""
    return [
        Coupling(charge.name, one, index, np.stack([~mask, np.ones_like(mask)], axis=1))
        for one, mask in charge.choices.items()
    ]


def reduce(problem: Problem) -> tuple[Kept, tuple[Limit, ...]]:
    """The choices and limits that matter to the optimum of a problem without charges."""
    kept: Kept = tuple(np.arange(len(cell.choices)) for cell in problem.cells)
    limits = problem.limits
    while True:
        before = sum(map(len, kept)), len(limits)
        kept = _possible(problem, kept, limits)
        if not all(map(len, kept)):
            return kept, limits
        limits = tuple(limit for limit in limits if _can_bind(limit, kept))
        kept = _undominated(problem, kept, limits)
        if (sum(map(len, kept)), len(limits)) == before:
            return kept, limits


def _possible(problem: Problem, kept: Kept, limits: tuple[Limit, ...]) -> Kept:
    """Without choices that break a limit or a coupling whatever the other cells take."""
    left = list(kept)
    for limit in limits:
        least = {i: costs[left[i]].min(initial=np.inf) for i, costs in limit.costs.items()}
        room = limit.most + tolerance(limit) - limit.fixed - sum(least.values())
        if room < 0:
            return tuple(indices[:0] for indices in kept)
        for i, costs in limit.costs.items():
            left[i] = left[i][costs[left[i]] - least[i] <= room]
    for coupling in problem.couplings:
        one, other = coupling.one, coupling.other
        left[one] = left[one][coupling.allowed[np.ix_(left[one], left[other])].any(axis=1)]
        left[other] = left[other][coupling.allowed[np.ix_(left[one], left[other])].any(axis=0)]
    return tuple(left)


def _can_bind(limit: Limit, kept: Kept) -> bool:
    """Whether some choice exceeds a limit."""
    largest = sum(float(costs[kept[i]].max()) for i, costs in limit.costs.items())
    return limit.fixed + largest > limit.most + tolerance(limit)


def _undominated(problem: Problem, kept: Kept, limits: tuple[Limit, ...]) -> Kept:
    """Without choices that another one of the cell, or an equal one before them, replaces.

    A choice replaces another where its score and its costs are at most, and it goes with at least,
    what the other's are and goes with.
    """
    left = list(kept)
    for index, cell in enumerate(problem.cells):
        indices = left[index]
        worth: list[NDArray[Any]] = [cell.scores[indices]]
        worth += [limit.costs[index][indices] for limit in limits if index in limit.costs]
        for coupling in problem.couplings:
            if coupling.one == index:
                worth += list(~coupling.allowed[np.ix_(indices, left[coupling.other])].T)
            if coupling.other == index:
                worth += list(~coupling.allowed[np.ix_(left[coupling.one], indices)])
        left[index] = indices[~_dominated(worth)]
    return tuple(left)


def _dominated(worth: Sequence[NDArray[Any]]) -> NDArray[np.bool_]:
    """Which of the columns another one is nowhere above; of equal ones all but the first."""
    differing = [row for row in worth if row.min() != row.max()]
    size = len(worth[0])
    no_worse = np.ones((size, size), bool)
    for row in {row.tobytes(): row for row in differing}.values():
        no_worse &= row[:, None] <= row[None, :]
    equal = no_worse & no_worse.T
    earlier = np.arange(size)[:, None] < np.arange(size)[None, :]
    return np.asarray((no_worse & (~equal | earlier)).any(axis=0))
