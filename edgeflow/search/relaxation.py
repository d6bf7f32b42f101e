"""The linear relaxation of the integer program.

Multipliers of the rows give a bound and, for every choice, its regret: by how much any solution
that takes it is above the bound. Fixing by reduced costs: Dantzig, Fulkerson, Johnson 1954; for
multiple-choice knapsacks Dyer, Kayal, Walker 1984 and Pisinger 1995.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from edgeflow.search.highs import quiet
from edgeflow.search.rows import Array, Rows


@dataclass(frozen=True, eq=False)
class Relaxation:
    """`multipliers` [rows] >= 0; no solution is below `bound`, nor, with a column, its `regret`."""

    multipliers: Array
    bound: float
    regret: Array


def relax(program: Rows) -> Relaxation | None:
    """The linear relaxation's bound and regrets; None where it has no solution.

    Bound and regrets are computed from the multipliers, so that they hold however exactly the
    linear program was solved.
    """
    count = len(program.most)
    multipliers = np.zeros(count)
    if count:
        with quiet():
            found = linprog(
                program.score,
                A_ub=program.matrix,
                b_ub=program.most,
                A_eq=program.one_each,
                b_eq=np.ones(len(program.starts) - 1),
                bounds=(0, None),
                method="highs",
            )
        if found.status == 2:
            return None
        if found.status != 0:
            raise RuntimeError(f"the linear relaxation was not solved: {found.message}")
        multipliers = np.maximum(-found.ineqlin.marginals, 0.0)
    return relaxation(program, multipliers)


def relaxation(program: Rows, multipliers: Array) -> Relaxation:
    """The Lagrangian bound at multipliers of the rows, and the regrets."""
    reduced = program.score + program.matrix.T @ multipliers
    least = np.minimum.reduceat(reduced, program.starts[:-1])
    return Relaxation(
        multipliers=multipliers,
        bound=float(least.sum() - multipliers @ program.most),
        regret=reduced - np.repeat(least, np.diff(program.starts)),
    )
