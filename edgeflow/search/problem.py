"""The search as an integer program: one choice for every cell, under linear limits.

    minimise  sum_ij score_ij x_ij
    so that   sum_j x_ij = 1 for every cell i            x_ij in {0, 1}
              sum_ij cost_ij x_ij <= most                 for every limit
              x_ij <= sum_k x_lk over the k that go with j   for every coupling of cells i and l

Molchanov et al. 2022 (LANA, arXiv 2107.10624), equation 3, with any number of limits.
"""

from __future__ import annotations

from collections.abc import Mapping
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
class Problem:
    """What is to be chosen, and within what."""

    cells: tuple[Cell, ...]
    limits: tuple[Limit, ...] = ()
    couplings: tuple[Coupling, ...] = ()


class Status(StrEnum):
    """What is known of a solution."""

    OPTIMAL = "optimal"  # no other is better than by the gap that was asked for
    TIME_LIMIT = "time limit"  # the best that was found; `bound` says how much better one could be


@dataclass(frozen=True)
class Solution:
    """A choice for every cell, and the proof: no choice has a lower score than `bound`.

    `gap` is (score - bound) / max(1, |score|) or less; `used` are the sums of the limits by name.
    """

    choice: tuple[int, ...]
    score: float
    bound: float
    gap: float
    status: Status
    seconds: float
    used: Mapping[str, float]
