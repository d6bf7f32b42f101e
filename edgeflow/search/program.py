"""The integer program solved: one choice, or several that differ."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edgeflow.search.infeasible import explained
from edgeflow.search.optimum import optimum
from edgeflow.search.problem import Limit, Problem, Solution, check


def solve(problem: Problem, *, seconds: float = 60.0, gap: float = 0.0) -> Solution:
    """The choice of the lowest score, or one at most `gap` of its score above it.

    After `seconds` the best one so far, with what is proven of it; a first one is waited for.
    Raises InfeasibleError with the figures where no choice keeps all limits and couplings, and
    ValueError where shapes or values are not as `problem` says.
    """
    check(problem)
    found = optimum(problem, seconds=seconds, gap=gap)
    if found is None:
        raise explained(problem)
    return found


def solve_diverse(
    problem: Problem,
    count: int,
    *,
    overlap: float = 0.7,
    seconds: float = 60.0,
    gap: float = 0.01,
) -> tuple[Solution, ...]:
    """Up to `count` solutions, each with at most `overlap` of its cells as in every earlier one.

    Each is within `gap` of the best of those that differ so from the earlier ones, which is what
    its bound is about. Fewer where no more exist. `seconds` are for all together. Errors as
    `solve`. Source: Molchanov et al. 2022 (LANA, arXiv 2107.10624), section 3.3.
    """
    deadline = time.perf_counter() + seconds
    found = [solve(problem, seconds=seconds / count, gap=gap)]
    while len(found) < count:
        left = max(0.0, deadline - time.perf_counter()) / (count - len(found))
        cuts = tuple(_cut(problem, index, s.choice, overlap) for index, s in enumerate(found))
        other = optimum(replace(problem, limits=problem.limits + cuts), seconds=left, gap=gap)
        if other is None:
            break
        names = [limit.name for limit in problem.limits]
        found.append(replace(other, used={name: other.used[name] for name in names}))
    return tuple(found)


def _cut(problem: Problem, index: int, choice: Sequence[int], overlap: float) -> Limit:
    """At most so many cells as in an earlier choice."""
    return Limit(
        name=f"cells as in solution {index}",
        unit="cells",
        most=math.floor(overlap * len(problem.cells) + 1e-9),
        costs={
            cell: (np.arange(len(problem.cells[cell].choices)) == taken).astype(np.float64)
            for cell, taken in enumerate(choice)
        },
    )
