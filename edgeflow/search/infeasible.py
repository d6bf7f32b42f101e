"""Why no choice keeps all limits: what each could reach, and the cells that take most of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgeflow.errors import InfeasibleError
from edgeflow.search.optimum import optimum
from edgeflow.search.presolve import without_charges
from edgeflow.search.problem import Limit, Problem, Solution

_SECONDS = 5.0  # for each of the programs that say what a limit can reach
_CELLS = 3
_COUNTED = 1000  # from here on a fraction of an instruction or byte tells nothing


@dataclass(frozen=True)
class Share:
    """A cell, or a charge, and what it takes of a limit."""

    cell: str
    taken: float


@dataclass(frozen=True)
class Reach:
    """How far down a limit goes.

    `alone` is the least that a choice takes of it, whatever it takes of the others; None where the
    couplings allow no choice. `with_others` is the least with all other limits kept, None where
    they cannot be. `cells` are those that take most of what it reaches alone, in falling order.
    """

    limit: str
    unit: str
    most: float
    alone: float | None
    with_others: float | None
    cells: tuple[Share, ...]


class NoChoiceError(InfeasibleError):
    """No choice of candidates keeps all limits and couplings of a search. `reaches`: its limits."""

    def __init__(self, message: str, reaches: Sequence[Reach], *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reaches = tuple(reaches)


def reaches(problem: Problem) -> tuple[Reach, ...]:
    """How far down every limit goes that some choice exceeds.

    A value that takes more than some seconds to prove is one that a choice reaches, and not
    necessarily the least.
    """
    expanded = without_charges(problem)
    return tuple(_reach(expanded, limit) for limit in expanded.limits if _can_be_exceeded(limit))


def explained(problem: Problem) -> NoChoiceError:
    """The error for a problem without a solution."""
    found = reaches(problem)
    beyond = [(reach, reach.alone) for reach in found if (reach.alone or 0.0) > reach.most]
    if not found or any(reach.alone is None for reach in found):
        names = ", ".join(sorted({coupling.name for coupling in problem.couplings}))
        message = f"no choice of candidates keeps the couplings: {names}"
        return NoChoiceError(message, found, hint="Give the cells candidates that go together.")
    if beyond:
        message = "; ".join(
            f"{_most(reach)}, and {_text(least)} is the least that candidates reach{_cells(reach)}"
            for reach, least in beyond
        )
        return NoChoiceError(message, found, hint=_raise(beyond, " and "))
    message = "; ".join(f"{_most(reach)}: {_reached(reach)}{_cells(reach)}" for reach in found)
    together = [(reach, reach.with_others) for reach in found if reach.with_others is not None]
    return NoChoiceError(
        f"no choice of candidates keeps all limits together: {message}",
        found,
        hint=_raise(together, " or ") if together else "Raise more than one limit.",
    )


def _reached(reach: Reach) -> str:
    with_others = "and no choice keeps the others"
    if reach.with_others is not None:
        with_others = f"{_text(reach.with_others)} with the others kept"
    return f"candidates reach {_text(reach.alone)} alone, {with_others}"


def _can_be_exceeded(limit: Limit) -> bool:
    return limit.fixed + sum(float(costs.max()) for costs in limit.costs.values()) > limit.most


def _reach(problem: Problem, limit: Limit) -> Reach:
    others = tuple(other for other in problem.limits if other is not limit)
    alone, with_others = _least(problem, limit, ()), _least(problem, limit, others)
    return Reach(
        limit=limit.name,
        unit=limit.unit,
        most=limit.most,
        alone=None if alone is None else limit.fixed + alone.score,
        with_others=None if with_others is None else limit.fixed + with_others.score,
        cells=() if alone is None else _largest(problem, limit, alone),
    )


def _least(problem: Problem, limit: Limit, others: tuple[Limit, ...]) -> Solution | None:
    """The choice that takes the least of a limit and keeps the others; None: none keeps them."""
    cells = tuple(
        replace(cell, scores=limit.costs.get(i, np.zeros(len(cell.choices))))
        for i, cell in enumerate(problem.cells)
    )
    return optimum(replace(problem, cells=cells, limits=others), seconds=_SECONDS, gap=0.0)


def _largest(problem: Problem, limit: Limit, solution: Solution) -> tuple[Share, ...]:
    taken = [
        Share(problem.cells[index].name, float(costs[solution.choice[index]]))
        for index, costs in limit.costs.items()
    ]
    taken.sort(key=lambda share: -share.taken)
    return tuple(share for share in taken[:_CELLS] if share.taken > 0)


def _most(reach: Reach) -> str:
    return f"{reach.limit} may be at most {_text(reach.most)} {reach.unit}".rstrip()


def _cells(reach: Reach) -> str:
    named = ", ".join(f"{share.cell} {_text(share.taken)}" for share in reach.cells)
    return f" (most of it: {named})" if named else ""


def _raise(values: Sequence[tuple[Reach, float | None]], word: str) -> str:
    named = word.join(f"{reach.limit} to {_text(value)}" for reach, value in values)
    return f"Raise {named}, or let the search have cheaper candidates."


def _text(value: float | None) -> str:
    assert value is not None
    if abs(value) >= _COUNTED or value == round(value):
        return f"{math.ceil(value):,}"
    return f"{value:,.6g}"
