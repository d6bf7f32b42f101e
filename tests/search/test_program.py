from __future__ import annotations

import itertools
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgeflow.errors import ExitCode, InfeasibleError
from edgeflow.search import optimum, pairing
from edgeflow.search.problem import (
    Cell,
    Charge,
    Coupling,
    Limit,
    Problem,
    Status,
    keeps,
    score,
    used,
)
from edgeflow.search.program import solve, solve_diverse
from tests.search.problems import random_problem, separable, solutions


def assert_optimal(problem: Problem) -> bool:
    """Whether there is a solution; that of `solve` is the best of all choices."""
    best = min(solutions(problem).values(), default=None)
    if best is None:
        with pytest.raises(InfeasibleError):
            solve(problem)
        return False
    found = solve(problem)
    assert keeps(problem, found.choice)
    assert found.score == score(problem, found.choice)
    assert found.score == pytest.approx(best, rel=1e-9, abs=1e-9)
    assert found.bound <= best + 1e-12 * max(1, abs(best))
    assert found.status is Status.OPTIMAL
    assert found.gap == pytest.approx(0, abs=1e-6)
    assert found.used == used(problem, found.choice)
    return True


def test_the_optimum_of_500_random_problems_is_the_best_of_all_choices() -> None:
    feasible = [assert_optimal(random_problem(np.random.default_rng(s))) for s in range(500)]
    assert 200 < sum(feasible) < 400


def test_highs_alone_finds_the_same_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairing, "MOST_ROWS", -1)
    feasible = [assert_optimal(random_problem(np.random.default_rng(s))) for s in range(60)]
    assert 20 < sum(feasible) < 55


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
def test_neither_the_scale_of_scores_nor_that_of_costs_matters(
    seed: int, of_scores: float, of_costs: float
) -> None:
    problem = random_problem(np.random.default_rng(seed))
    scaled = Problem(
        cells=tuple(replace(cell, scores=of_scores * cell.scores) for cell in problem.cells),
        limits=tuple(
            replace(
                limit,
                most=of_costs * limit.most,
                fixed=of_costs * limit.fixed,
                costs={index: of_costs * costs for index, costs in limit.costs.items()},
            )
            for limit in problem.limits
        ),
        couplings=problem.couplings,
        charges=tuple(replace(c, amount=of_costs * c.amount) for c in problem.charges),
    )
    best = min(solutions(problem).values(), default=None)
    if best is None:
        with pytest.raises(InfeasibleError):
            solve(scaled)
    else:
        found = solve(scaled)
        assert found.score == pytest.approx(of_scores * best, rel=1e-9, abs=1e-9 * of_scores)


@pytest.mark.parametrize("seed", range(3))
def test_lists_and_highs_prove_the_same_optimum_of_thirty_cells(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = separable(seed, cells=30, choices=40, limits=3)
    by_lists = solve(problem)
    monkeypatch.setattr(pairing, "MOST_ROWS", -1)
    by_highs = solve(problem)
    assert by_lists.status is by_highs.status is Status.OPTIMAL
    assert by_lists.choice == by_highs.choice
    assert by_lists.gap == 0


def test_what_the_lists_leave_open_is_proven_on_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = separable(3, cells=30, choices=40, limits=3)
    expected = solve(problem)
    monkeypatch.setattr(pairing, "_LEVELS", (2, 4))
    found = solve(problem)
    assert found.choice == expected.choice
    assert found.status is Status.OPTIMAL


def test_every_score_being_the_same_is_no_reason_to_list_all_choices() -> None:
    problem = separable(0, cells=60, choices=30, limits=3)
    level = tuple(replace(cell, scores=np.full(30, 2.5)) for cell in problem.cells)
    found = solve(replace(problem, cells=level))
    assert (found.score, found.bound, found.status) == (150, 150, Status.OPTIMAL)


def test_a_budget_that_is_met_exactly_is_kept() -> None:
    costs = np.array([0.1, 0.3])
    cells = tuple(Cell(str(i), ("less", "more"), np.array([1.0, 0.0])) for i in range(3))
    most = 0.1 + 0.3 + 0.3
    found = solve(Problem(cells, (Limit("flash", "bytes", most, dict.fromkeys(range(3), costs)),)))
    assert found.score == 1


@pytest.mark.parametrize("most_rows", [-1, 24])
def test_one_instruction_above_a_large_budget_is_too_much(
    most_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairing, "MOST_ROWS", most_rows)
    costs = np.array([400_000_001.0, 400_000_000.0, 1.0])
    cells = tuple(Cell(str(i), ("a", "b", "c"), np.array([0.0, 0.1, 9.0])) for i in range(3))
    limit = Limit("instructions", "", 1_200_000_001.0, dict.fromkeys(range(3), costs))
    assert solve(Problem(cells, (limit,))).score == pytest.approx(0.2)


def test_the_code_of_a_kernel_is_paid_once_and_only_where_it_runs() -> None:
    cells = tuple(Cell(str(i), ("plain", "fast"), np.array([1.0, 0.0])) for i in range(3))
    charge = Charge("fast kernel", "flash", 50.0, dict.fromkeys(range(3), np.array([False, True])))
    weights = dict.fromkeys(range(3), np.array([10.0, 10.0]))

    def best(most: float) -> tuple[float, float]:
        limit = Limit("flash", "bytes", most, weights)
        found = solve(Problem(cells, (limit,), charges=(charge,)))
        return found.score, found.used["flash"]

    assert best(80) == (0, 80)
    assert best(79) == (3, 30)


def two_branches() -> Problem:
    """Two inputs of an addition, each with 8 or 4 bits, and limits that want one of each."""
    bits = ("8 bits", "4 bits")
    cells = (
        Cell("left", bits, np.array([0.0, 1.0])),
        Cell("right", bits, np.array([0.0, 1.5])),
        Cell("after", bits, np.array([0.0, 2.2])),
    )
    limit = Limit("flash", "bytes", 20, dict.fromkeys(range(3), np.array([8.0, 4.0])))
    return Problem(cells, (limit,))


def test_the_two_inputs_of_an_addition_have_equal_precision() -> None:
    free = two_branches()
    assert solve(free).choice == (1, 0, 0)
    same = Coupling("inputs of add", 0, 1, np.eye(2, dtype=bool))
    assert solve(replace(free, couplings=(same,))).choice == (0, 0, 1)


def test_a_gap_is_a_part_of_the_score_and_true() -> None:
    for seed in range(20):
        problem = separable(seed, cells=5, choices=6, limits=2)
        best = min(solutions(problem).values(), default=None)
        if best is None:
            continue
        found = solve(problem, gap=0.3)
        assert found.bound <= best <= found.score
        assert found.gap == pytest.approx((found.score - found.bound) / abs(found.score))
        assert found.gap <= 0.3
        assert found.status is Status.OPTIMAL


@pytest.mark.parametrize("most_rows", [-1, 24])
def test_without_time_there_is_a_solution_and_a_true_bound(
    most_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairing, "MOST_ROWS", most_rows)
    problem = separable(1, cells=60, choices=40, limits=4)
    hasty, best = solve(problem, seconds=0.0), solve(separable(1, 60, 40, 4))
    assert hasty.status is Status.TIME_LIMIT
    assert keeps(problem, hasty.choice)
    assert hasty.bound <= best.score <= hasty.score
    assert hasty.gap == pytest.approx((hasty.score - hasty.bound) / abs(hasty.score))


def test_diverse_solutions_are_the_best_that_differ_enough() -> None:
    checked = 0
    for seed in range(60):
        problem = random_problem(np.random.default_rng(seed))
        every = solutions(problem)
        if not every:
            continue
        found = solve_diverse(problem, 4, overlap=0.7, gap=0.0)
        shared = np.floor(0.7 * len(problem.cells))
        left = every
        for solution in found:
            assert solution.score == pytest.approx(min(left.values()), rel=1e-9, abs=1e-9)
            assert set(solution.used) == {limit.name for limit in problem.limits}
            left = {
                choice: value
                for choice, value in left.items()
                if sum(map(int.__eq__, choice, solution.choice)) <= shared
            }
        assert len(found) == 4 or not left
        checked += len(found)
    assert checked > 80


def test_of_ten_diverse_solutions_none_shares_more_and_every_bound_holds() -> None:
    problem = separable(5, cells=40, choices=60, limits=3)
    found = solve_diverse(problem, 10)
    choices = np.array([solution.choice for solution in found])
    same = (choices[:, None] == choices[None]).sum(axis=2) - 40 * np.eye(10)
    assert len(found) == 10
    assert same.max() <= 28
    assert all(keeps(problem, solution.choice) for solution in found)
    assert all(s.gap <= 0.01 and s.status is Status.OPTIMAL for s in found)
    assert found[0].bound <= solve(problem).score


def test_the_best_of_several_by_their_losses_is_no_worse_than_the_single_optimum() -> None:
    """Scores are estimates: the true loss is that of whole networks, in which cells interact."""
    better = 0
    for seed in range(5):
        problem = separable(seed, cells=12, choices=20, limits=3)
        interactions = np.random.default_rng(100 + seed).normal(scale=0.2, size=(12, 20, 20))

        def loss(
            choice: tuple[int, ...],
            problem: Problem = problem,
            interactions: NDArray[np.float64] = interactions,
        ) -> float:
            pairs = enumerate(itertools.pairwise(choice))
            return score(problem, choice) + sum(interactions[i, *pair] for i, pair in pairs)

        single, *others = (loss(s.choice) for s in solve_diverse(problem, 10, gap=0.0))
        assert single == loss(solve(problem).choice)
        better += min(others) < single
    assert better >= 3


def test_a_program_that_is_none_is_refused() -> None:
    cells = (Cell("00", ("a", "b"), np.array([0.0, np.nan])),)
    with pytest.raises(ValueError, match="scores of 00: not finite"):
        solve(Problem(cells))
    limit = Limit("flash", "bytes", 1.0, {0: np.array([1.0, -1.0])})
    cells = (Cell("00", ("a", "b"), np.array([0.0, 1.0])),)
    with pytest.raises(ValueError, match="flash: a cost below 0"):
        solve(Problem(cells, (limit,)))


NOISY = """
import ctypes, json
from edgeflow.search import pairing
from edgeflow.search.highs import quiet
from edgeflow.search.program import solve
from tests.search.problems import separable
pairing.MOST_ROWS = -1
c = ctypes.CDLL(None)
c.printf(b"kept\\n")
with quiet():
    c.printf(b"from C\\n")
found = [solve(separable(seed, 40, 30, 3)).status for seed in range(3)]
print(json.dumps(found))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="finds the C library in another way")
def test_what_highs_prints_does_not_come_out() -> None:
    ran = subprocess.run([sys.executable, "-c", NOISY], capture_output=True, text=True, check=True)
    first, document = ran.stdout.splitlines()
    assert first == "kept"
    assert json.loads(document) == ["optimal"] * 3


def test_infeasible_is_exit_code_5() -> None:
    problem = separable(0, 5, 5, 1)
    none = replace(problem, limits=(replace(problem.limits[0], most=0.0),))
    with pytest.raises(InfeasibleError) as caught:
        solve(none)
    assert caught.value.exit_code is ExitCode.INFEASIBLE
    with pytest.raises(InfeasibleError):
        solve_diverse(none, 3)
    assert optimum.optimum(none, seconds=1, gap=0) is None
