from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgeflow.search.infeasible import NoChoiceError, Share, reaches
from edgeflow.search.problem import Cell, Charge, Coupling, Limit, Problem, used
from edgeflow.search.program import solve
from tests.search.problems import random_problem, solutions


def two_cells(instructions: float, flash: float) -> Problem:
    """What is small is slow."""
    cells = tuple(Cell(name, ("fast", "small"), np.zeros(2)) for name in ("00", "01"))
    return Problem(
        cells,
        (
            Limit(
                "instructions",
                "instructions",
                instructions,
                {0: np.array([1_000.0, 3_000.0]), 1: np.array([2_000.0, 5_000.0])},
                fixed=100,
            ),
            Limit("flash", "bytes", flash, {0: np.array([90.0, 40.0]), 1: np.array([80.0, 30.0])}),
        ),
    )


def error(problem: Problem) -> NoChoiceError:
    with pytest.raises(NoChoiceError) as caught:
        solve(problem)
    return caught.value


def test_a_limit_below_everything_says_what_is_reached_and_which_cells_take_it() -> None:
    found = error(two_cells(2_500, 500))
    assert found.message == (
        "instructions may be at most 2,500 instructions, and 3,100 is the least that candidates "
        "reach (most of it: 01 2,000, 00 1,000)"
    )
    assert found.hint == "Raise instructions to 3,100, or let the search have cheaper candidates."
    [reach] = found.reaches
    assert (reach.alone, reach.with_others) == (3_100, 3_100)
    assert reach.cells == (Share("01", 2_000), Share("00", 1_000))


def test_limits_that_exclude_each_other_say_how_far_each_goes_with_the_others_kept() -> None:
    found = error(two_cells(5_000, 125))
    assert [(r.limit, r.alone, r.with_others) for r in found.reaches] == [
        ("instructions", 3_100, 5_100),
        ("flash", 70, 170),
    ]
    assert "candidates reach 70 alone, 170 with the others kept" in found.message
    assert "instructions to 5,100 or flash to 170" in found.hint


def test_raising_a_limit_as_the_hint_says_makes_it_feasible() -> None:
    solve(two_cells(5_100, 125))
    solve(two_cells(5_000, 170))


def test_what_is_charged_is_named_beside_the_cells() -> None:
    problem = two_cells(10_000, 200)
    mask = np.array([True, True])
    charged = replace(problem, charges=(Charge("a kernel", "flash", 150.0, {1: mask}),))
    [flash] = reaches(charged)
    assert flash.alone == 220
    assert flash.cells[0] == Share("a kernel", 150)


def test_couplings_that_leave_nothing_are_named() -> None:
    problem = two_cells(9_000, 200)
    never = Coupling("inputs of add", 0, 1, np.zeros((2, 2), bool))
    found = error(replace(problem, couplings=(never,)))
    assert found.message == "no choice of candidates keeps the couplings: inputs of add"


def test_the_reach_of_limits_is_the_least_of_all_choices() -> None:
    checked = 0
    for seed in range(200):
        problem = random_problem(np.random.default_rng(seed))
        if solutions(problem):
            continue
        for reach in error(problem).reaches:
            others = tuple(limit for limit in problem.limits if limit.name != reach.limit)
            for limits, value in (((), reach.alone), (others, reach.with_others)):
                left = solutions(replace(problem, limits=limits))
                least = min((used(problem, c)[reach.limit] for c in left), default=None)
                assert value == (None if least is None else pytest.approx(least, rel=1e-9))
            checked += 1
    assert checked > 50
