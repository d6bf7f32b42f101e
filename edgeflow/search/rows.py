"""The integer program as rows of numbers, scaled."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from edgeflow.search.presolve import Kept
from edgeflow.search.problem import Coupling, Limit, Problem, tolerance

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rows:
    """Minimise `score` x so that `matrix` x <= `most` and each cell takes one of its columns.

    Columns are the kept choices cell by cell: those of cell i are `starts[i]` to `starts[i + 1]`.
    A score is `offset` + `scale` times the row's; the least score of every cell is 0. In a limit's
    row the least cost of every cell is 0, and 1 is what is left beyond those.
    """

    score: Array
    matrix: csr_array
    most: Array
    starts: NDArray[np.int64]
    choices: NDArray[np.int64]
    offset: float
    scale: float

    @property
    def cells(self) -> NDArray[np.int64]:
        """The cell of every column."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    @property
    def one_each(self) -> csr_array:
        """The matrix [cells, columns] whose rows sum to 1 over x."""
        return csr_array(
            (np.ones(len(self.score)), np.arange(len(self.score)), self.starts),
            shape=(len(self.starts) - 1, len(self.score)),
        )

    def choice(self, columns: NDArray[np.int64]) -> tuple[int, ...]:
        """The choice that takes these columns, one for each cell."""
        return tuple(int(index) for index in self.choices[columns])

    def without(self, columns: NDArray[np.int64]) -> Rows:
        """The same rows and one that is kept by every choice but that of these columns."""
        row = np.zeros((1, len(self.score)))
        row[0, columns] = 1
        return replace(
            self,
            matrix=vstack([self.matrix, csr_array(row)], format="csr"),
            most=np.append(self.most, len(columns) - 1.0),
        )


def rows(problem: Problem, kept: Kept, limits: tuple[Limit, ...]) -> Rows:
    """The rows of what `presolve.reduce` left of a problem without charges."""
    starts = np.concatenate([[0], np.cumsum([len(indices) for indices in kept])])
    least = np.array([cell.scores[k].min() for cell, k in zip(problem.cells, kept, strict=True)])
    scores = [cell.scores[k] for cell, k in zip(problem.cells, kept, strict=True)]
    shifted = np.concatenate([s - low for s, low in zip(scores, least, strict=True)])
    scale = float(shifted.max()) or 1.0
    dense = [_limit_row(limit, kept, starts) for limit in limits]
    coupled = [row for c in problem.couplings for row in _coupling_rows(c, kept, starts)]
    all_rows = [csr_array(row[None]) for row in (*dense, *coupled)]
    return Rows(
        score=shifted / scale,
        matrix=vstack([csr_array((0, len(shifted))), *all_rows], format="csr"),
        most=np.concatenate([np.ones(len(dense)), np.zeros(len(coupled))]),
        starts=starts,
        choices=np.concatenate(kept),
        offset=float(least.sum()),
        scale=scale,
    )


def _limit_row(limit: Limit, kept: Kept, starts: NDArray[np.int64]) -> Array:
    row, room = np.zeros(starts[-1]), limit.most - limit.fixed + tolerance(limit) / 2
    for index, costs in limit.costs.items():
        own = costs[kept[index]]
        row[starts[index] : starts[index + 1]] = own - own.min()
        room -= float(own.min())
    return row / room if room > 0 else np.zeros_like(row)


def _coupling_rows(coupling: Coupling, kept: Kept, starts: NDArray[np.int64]) -> list[Array]:
    """Choices that go with the same ones share a row; those that go with all need none."""
    one, other = coupling.one, coupling.other
    found = []
    allowed, group = np.unique(
        coupling.allowed[np.ix_(kept[one], kept[other])], axis=0, return_inverse=True
    )
    for index, partners in enumerate(allowed):
        if not partners.all():
            row = np.zeros(starts[-1])
            row[starts[one] : starts[one + 1]] = group.reshape(-1) == index
            row[starts[other] : starts[other + 1]] = -1.0 * partners
            found.append(row)
    return found
