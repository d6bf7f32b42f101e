"""The search as an integer program: one choice for every cell, under linear limits.

    minimise  sum_ij score_ij x_ij
    so that   sum_j x_ij = 1 for every cell i            x_ij in {0, 1}
              sum_ij cost_ij x_ij <= most                 for every limit
              x_ij <= sum_k x_lk over the k that go with j   for every coupling of cells i and l

where the sum of a limit also contains each charge of which a choice is taken.

Molchanov et al. 2022 (LANA, arXiv 2107.10624), equation 3, with any number of limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell's choices: their names, and what each adds to the loss (lower is better)."""

    name: str
    choices: tuple[str, ...]
    scores: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Limit:
    """At most `most` in all; `costs` are those of a cell's choices, by the cell's index.

    `name` is what is limited (`instructions`, `flash`, `ram at 03`) and `unit` its unit; `fixed` is
    what counts whatever is chosen. Cells without costs take nothing.
    """

    name: str
    unit: str
    most: float
    costs: Mapping[int, NDArray[np.float64]]
    fixed: float = 0.0


@dataclass(frozen=True, eq=False)
class Coupling:
    """Choices of two cells that go together: `allowed` [choices of one, choices of other]."""

    name: str
    one: int
    other: int
    allowed: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Charge:
    """What the limit of that name takes once, as soon as any of `choices` is taken.

    `choices` are masks [choices] by the cell's index. The code of a kernel is such: flash holds it
    once, however many operators run it. A charge on a limit that the problem lacks is nothing.
    """

    name: str
    limit: str
    amount: float
    choices: Mapping[int, NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class Problem:
    """What is to be chosen, and within what; the names of limits differ.

    Scores and costs are finite, costs and amounts of charges at least 0.
    """

    cells: tuple[Cell, ...]
    limits: tuple[Limit, ...] = ()
    couplings: tuple[Coupling, ...] = ()
    charges: tuple[Charge, ...] = ()


class Status(StrEnum):
    """What is known of a solution."""

    OPTIMAL = "optimal"  # no other is better than by the gap that was asked for
    TIME_LIMIT = "time limit"  # the best that was found; `bound` says how much better one could be


@dataclass(frozen=True)
class Solution:
    """A choice for every cell, and the proof: no choice has a lower score than `bound`.

    `gap` is (score - bound) / |score|, 0 where they are equal; `used` are the sums of the limits by
    name.
    """

    choice: tuple[int, ...]
    score: float
    bound: float
    gap: float
    status: Status
    seconds: float
    used: Mapping[str, float]


def score(problem: Problem, choice: Sequence[int]) -> float:
    """The sum of the scores of a choice."""
    return sum(float(cell.scores[index]) for cell, index in zip(problem.cells, choice, strict=True))


def used(problem: Problem, choice: Sequence[int]) -> dict[str, float]:
    """What a choice takes of every limit, with what is fixed and the charges, by the name."""
    return {
        limit.name: limit.fixed
        + sum(float(costs[choice[index]]) for index, costs in limit.costs.items())
        + sum(
            charge.amount
            for charge in problem.charges
            if charge.limit == limit.name
            and any(mask[choice[index]] for index, mask in charge.choices.items())
        )
        for limit in problem.limits
    }


def keeps(problem: Problem, choice: Sequence[int]) -> bool:
    """Whether a choice keeps every limit and every coupling."""
    sums = used(problem, choice)
    return all(
        sums[limit.name] <= limit.most + tolerance(limit) for limit in problem.limits
    ) and all(
        coupling.allowed[choice[coupling.one], choice[coupling.other]]
        for coupling in problem.couplings
    )


def tolerance(limit: Limit) -> float:
    """By how much a sum of floating-point costs may exceed a limit that it meets exactly."""
    return 1e-11 * max(abs(limit.most), abs(limit.fixed))


def check(problem: Problem) -> None:
    """Raise ValueError where shapes, names or values are not as the classes say."""
    counts = [len(cell.choices) for cell in problem.cells]

    def ensure(fact: object, message: str) -> None:
        if not fact:
            raise ValueError(message)

    def ensure_values(values: NDArray[np.float64], index: int, what: str) -> None:
        ensure(values.shape == (counts[index],), f"{what}: not one value for each choice")
        ensure(np.isfinite(values).all(), f"{what}: not finite")

    for index, cell in enumerate(problem.cells):
        ensure(counts[index], f"{cell.name}: no choices")
        ensure_values(cell.scores, index, f"scores of {cell.name}")
    names = [limit.name for limit in problem.limits]
    ensure(len(set(names)) == len(names), "two limits have one name")
    for limit in problem.limits:
        ensure(np.isfinite([limit.most, limit.fixed]).all(), f"{limit.name}: not finite")
        for index, costs in limit.costs.items():
            ensure_values(costs, index, limit.name)
            ensure(costs.min() >= 0, f"{limit.name}: a cost below 0")
    for coupling in problem.couplings:
        shape = (counts[coupling.one], counts[coupling.other])
        ensure(coupling.one != coupling.other, f"{coupling.name}: one cell")
        ensure(coupling.allowed.shape == shape, f"{coupling.name}: not one value for each pair")
    for charge in problem.charges:
        ensure(charge.amount >= 0 and np.isfinite(charge.amount), f"{charge.name}: below 0")
        for index, mask in charge.choices.items():
            ensure(mask.shape == (counts[index],), f"{charge.name}: not one value for each choice")
