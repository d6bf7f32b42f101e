"""Problems of every kind, small enough that all choices can be tried."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from edgeflow.search.problem import Cell, Charge, Coupling, Limit, Problem, keeps, score


def random_problem(generator: np.random.Generator) -> Problem:
    """Up to five cells of up to five choices, up to three limits, two couplings, two charges.

    Some scores and costs are integers, with ties, some not; some scores are negative. Some limits
    can never be exceeded, and some never kept.
    """
    g = generator
    counts = g.integers(1, 6, g.integers(1, 6))
    limits = tuple(_limit(g, f"limit {index}", counts) for index in range(g.integers(0, 4)))
    return Problem(
        cells=tuple(_cell(g, f"{index:02}", int(count)) for index, count in enumerate(counts)),
        limits=limits,
        couplings=tuple(_couplings(g, counts)),
        charges=tuple(_charges(g, counts, limits)),
    )


def _cell(g: np.random.Generator, name: str, count: int) -> Cell:
    if g.random() < 0.5:
        scores = g.integers(-3, 4, count).astype(np.float64)
    else:
        scores = g.normal(size=count) * 10.0 ** g.integers(-4, 4)
    return Cell(name, tuple(f"choice {index}" for index in range(count)), scores)


def _limit(g: np.random.Generator, name: str, counts: np.ndarray) -> Limit:
    whole = g.random() < 0.5
    costs = {
        index: g.integers(0, 10, count).astype(np.float64) if whole else 100 * g.random(count)
        for index, count in enumerate(counts)
        if g.random() < 0.8
    }
    fixed = float(g.integers(0, 3))
    least = sum(float(own.min()) for own in costs.values())
    largest = sum(float(own.max()) for own in costs.values())
    most = fixed + least + (largest - least) * g.uniform(-0.1, 0.8)
    return Limit(name, "bytes", float(np.floor(most) if whole else most), costs, fixed)


def _couplings(g: np.random.Generator, counts: np.ndarray) -> Iterator[Coupling]:
    if len(counts) > 1:
        for index in range(g.integers(0, 3)):
            one, other = (int(cell) for cell in g.choice(len(counts), 2, replace=False))
            allowed = g.random((counts[one], counts[other])) < 0.6
            yield Coupling(f"coupling {index}", one, other, allowed)


def _charges(
    g: np.random.Generator, counts: np.ndarray, limits: tuple[Limit, ...]
) -> Iterator[Charge]:
    for index in range(g.integers(0, 3) if limits else 0):
        name = limits[g.integers(len(limits))].name
        masks = {
            cell: g.random(count) < 0.4 for cell, count in enumerate(counts) if g.random() < 0.7
        }
        yield Charge(f"kernel {index}", name, float(g.integers(0, 15)), masks)


def solutions(problem: Problem) -> dict[tuple[int, ...], float]:
    """The score of every choice that keeps all limits and couplings."""
    every = itertools.product(*(range(len(cell.choices)) for cell in problem.cells))
    return {choice: score(problem, choice) for choice in every if keeps(problem, choice)}


def separable(seed: int, cells: int, choices: int, limits: int) -> Problem:
    """Scores and costs drawn uniformly; each limit allows 60 % of the mean choice's costs."""
    g = np.random.default_rng(seed)
    costs = g.random((limits, cells, choices))
    return Problem(
        cells=tuple(
            Cell(f"{index:02}", tuple(map(str, range(choices))), g.random(choices))
            for index in range(cells)
        ),
        limits=tuple(
            Limit(f"limit {index}", "", 0.6 * float(own.mean(axis=1).sum()), dict(enumerate(own)))
            for index, own in enumerate(costs)
        ),
    )
