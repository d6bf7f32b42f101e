"""Uniform choices, the front over budgets, and that the program beats what needs no search."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from edgeflow.grow.cost import Limits
from edgeflow.nets.network import NetworkSpec
from edgeflow.nets.specs import Convolution, GlobalAveragePool, InvertedResidual, Logits
from edgeflow.search.assemble import assembled_on_grids
from edgeflow.search.baselines import baselines
from edgeflow.search.candidates import space
from edgeflow.search.costs import CandidateCosts
from edgeflow.search.formulate import formulate
from edgeflow.search.pareto import front
from edgeflow.search.program import solve_diverse
from edgeflow.search.scores import network_losses
from edgeflow.search.space import Choice, original, random_choice
from tests.search.small_teacher import OPTIONS, scores, taught

SPEC = NetworkSpec(
    name="teacher",
    input_shape=(8, 8, 8),
    cells=(
        InvertedResidual(channels=8, expansion=4),
        Convolution(channels=8),
        GlobalAveragePool(),
        Logits(units=10),
    ),
)
SPACE = space(SPEC, 4, (8, 4))


def test_uniform_choices_have_one_width_of_weights_or_one_part_of_the_channels() -> None:
    named = {each.name: each.choice for each in baselines(SPACE)}
    assert named["all cells as they are, 8 bits"] == original(SPACE)
    four = named["all cells as they are, 4 bits"]
    assert [c.candidates[i].weight_bits for c, i in zip(SPACE.cells, four, strict=True)] == [4, 4]
    half = SPACE.cells[0].candidates[named["50% of the channels inside, 8 bits"][0]]
    assert (half.family, half.width, half.weight_bits) == ("original", 16, 8)
    assert len(set(named.values())) == len(named)


def _weights_costs() -> CandidateCosts:
    """A candidate costs its bits of weights; a stand-in for a device that needs none."""
    found = taught()
    bits = tuple(
        np.array(
            [
                candidate.weight_bits * sum(v.numel() for v in state.values() if v.ndim > 1)
                for candidate, state in zip(cell.candidates, states, strict=True)
            ],
            dtype=np.float64,
        )
        for cell, states in zip(found.space.cells, found.pool.states, strict=True)
    )
    return CandidateCosts(bits, bits, bits)


def test_the_front_rises_in_cost_and_falls_in_score() -> None:
    found = taught()
    solutions = front(found.space, scores(), _weights_costs(), Limits(), 6)
    assert len(solutions) > 2
    costs = [solution.used["instructions"] for solution in solutions]
    assert costs == sorted(costs)
    assert all(a.score > b.score for a, b in itertools.pairwise(solutions))


@pytest.mark.parametrize("seed", range(5))
def test_a_search_beats_random_choice_and_uniform_width_at_equal_budget(seed: int) -> None:
    """Measured losses, before fine-tuning; the best of several is no worse than the optimum."""
    found, costs = taught(), _weights_costs()

    def loss(choice: Choice) -> float:
        network = assembled_on_grids(found.space, choice, found.teacher, found.pool)
        return float(network_losses(iter([network]), found.dataset, OPTIONS)[0])

    def cost(choice: Choice) -> float:
        return sum(float(own[i]) for own, i in zip(costs.instructions, choice, strict=True))

    uniform = next(e.choice for e in baselines(found.space) if e.name.startswith("50%"))
    limits = Limits(instructions=int(cost(uniform)))
    solutions = solve_diverse(formulate(found.space, scores(), costs, limits), 4)
    losses = [loss(solution.choice) for solution in solutions]
    generator = np.random.default_rng(seed)
    drawn: list[Choice] = []
    while len(drawn) < 4:
        choice = random_choice(found.space, generator)
        if cost(choice) <= cost(uniform):
            drawn.append(choice)
    assert min(losses) <= losses[0]
    assert min(losses) < loss(uniform)
    assert min(losses) < min(loss(choice) for choice in drawn)
