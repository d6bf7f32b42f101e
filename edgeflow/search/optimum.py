"""The best choice of every cell, with a proof that none is better, where there is any.

What cannot matter leaves first (`presolve`). The linear relaxation gives a bound and the regret of
every choice. Where rows are few, lists of low regrets find and prove the optimum in a fraction of a
second (`pairing`). What is left open, HiGHS proves on the choices whose regret is not above the
best known choice's distance from the bound: the core.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgeflow.search import pairing
from edgeflow.search.highs import Answer, integer
from edgeflow.search.presolve import reduce, without_charges
from edgeflow.search.problem import Problem, Solution, Status, keeps, score, used
from edgeflow.search.relaxation import Relaxation, relax
from edgeflow.search.rows import Rows, rows

_FIRST_CORE = 4  # choices a cell, on average
_WIDER = 8.0
_ROUNDING = 1e-8  # of scores that are scaled to 1, as far as HiGHS proves them
_SAME = 1e-12  # of such scores, as far as they are sums of the same numbers


@dataclass(frozen=True, eq=False)
class _Known:
    """The best columns so far and their scaled score, and a score that no choice is below."""

    columns: NDArray[np.int64] | None
    score: float
    bound: float


@dataclass(frozen=True, eq=False)
class _Asked:
    """What ends the search before the proof is whole."""

    problem: Problem
    gap: float
    deadline: float

    @property
    def seconds_left(self) -> float:
        """Until the deadline."""
        return self.deadline - time.perf_counter()

    def keeps(self, program: Rows, columns: NDArray[np.int64]) -> bool:
        """Whether these columns keep all limits, beyond HiGHS's tolerance."""
        return keeps(self.problem, program.choice(columns)[: len(self.problem.cells)])

    def enough(self, program: Rows, known: _Known) -> bool:
        """Whether the best so far is as close to the bound as was asked for."""
        if known.columns is None:
            return False
        allowed = self.gap * abs(program.offset / program.scale + known.score)
        return known.score - known.bound <= max(allowed, _ROUNDING)


def optimum(problem: Problem, *, seconds: float, gap: float) -> Solution | None:
    """The choice of the lowest score, or one at most `gap` of its score above it.

    None where no choice keeps all limits and couplings. After `seconds` the best one so far, with
    what is proven of it; a first one is waited for.
    """
    began = time.perf_counter()
    asked = _Asked(problem, gap, began + seconds)
    expanded = without_charges(problem)
    kept, limits = reduce(expanded)
    if not all(len(indices) for indices in kept):
        return None
    program = rows(expanded, kept, limits)
    relaxed = relax(program)
    if relaxed is None:
        return None
    known = _Known(None, np.inf, relaxed.bound)
    if len(program.most) <= pairing.MOST_ROWS:
        known = _by_pairing(program, relaxed, asked)
    if not asked.enough(program, known) and np.isfinite(known.bound):
        known = _by_core(program, relaxed, known, asked)
    if known.columns is None:
        return None
    return _solution(asked, program, known, time.perf_counter() - began)


def _solution(asked: _Asked, program: Rows, known: _Known, seconds: float) -> Solution:
    assert known.columns is not None
    choice = program.choice(known.columns)[: len(asked.problem.cells)]
    total = score(asked.problem, choice)
    proven = known.bound >= known.score - _SAME
    bound = total if proven else min(total, program.offset + program.scale * known.bound)
    return Solution(
        choice=choice,
        score=total,
        bound=bound,
        gap=0.0 if total == bound else (total - bound) / max(abs(total), 1e-300),
        status=Status.OPTIMAL if asked.enough(program, known) else Status.TIME_LIMIT,
        seconds=seconds,
        used=used(asked.problem, choice),
    )


def _by_pairing(program: Rows, relaxed: Relaxation, asked: _Asked) -> _Known:
    known = _Known(None, np.inf, relaxed.bound)
    near = asked.gap * abs(program.offset / program.scale + relaxed.bound)
    for found in pairing.search(program, relaxed, near):
        known = _Known(
            columns=found.columns,
            score=relaxed.bound + found.distance,
            bound=relaxed.bound + min(found.distance, found.proven),
        )
        if asked.enough(program, known) or asked.seconds_left <= 0:
            break
    return known


def _by_core(program: Rows, relaxed: Relaxation, known: _Known, asked: _Asked) -> _Known:
    """HiGHS on wider and wider cores, until what it finds is nearer to the bound than the rest."""
    depth, gap = known.score - relaxed.bound, _relative_gap(program, relaxed, asked)
    if known.columns is None:
        place = _FIRST_CORE * (len(program.starts) - 1)
        depth = float(np.sort(relaxed.regret)[: place + 1][-1])
    while not asked.enough(program, known):
        if asked.seconds_left <= 0:
            return known if known.columns is not None else _first(program, relaxed, asked)
        among = np.flatnonzero(relaxed.regret <= depth + _ROUNDING)
        answer = integer(program, among, asked.seconds_left, gap)
        if answer.columns is not None and not asked.keeps(program, answer.columns):
            program = program.without(answer.columns)
            continue
        whole = len(among) == len(program.score)
        known = _better(program, known, answer, np.inf if whole else relaxed.bound + depth)
        distance = known.score - relaxed.bound
        if answer.complete and (whole or distance <= depth):
            if gap == 0 or known.columns is None:
                return known
            gap = 0.0
        depth = distance if known.columns is not None else max(_WIDER * depth, _ROUNDING)
    return known


def _better(program: Rows, known: _Known, answer: Answer, outside: float) -> _Known:
    """What is known with an answer, where no choice of other columns is below `outside`."""
    total = np.inf if answer.columns is None else float(program.score[answer.columns].sum())
    columns = answer.columns if total < known.score else known.columns
    least = min(known.score, total)
    return _Known(columns, least, min(least, max(known.bound, min(answer.bound, outside))))


def _relative_gap(program: Rows, relaxed: Relaxation, asked: _Asked) -> float:
    """The gap that was asked for as a part of the scaled score, with the bound for the score."""
    whole = abs(program.offset + program.scale * relaxed.bound)
    return 0.9 * asked.gap * whole / (program.scale * max(relaxed.bound, 1e-9))


def _first(program: Rows, relaxed: Relaxation, asked: _Asked) -> _Known:
    """Any solution, however long it takes; without columns where none exists."""
    anything = replace(program, score=np.zeros_like(program.score))
    every = np.arange(len(program.score))
    while (found := integer(anything, every, np.inf, 0.0).columns) is not None:
        if asked.keeps(program, found):
            return _Known(found, float(program.score[found].sum()), relaxed.bound)
        anything = anything.without(found)
    return _Known(None, np.inf, np.inf)
