"""The choice of a search is one whose build keeps the limits."""

from __future__ import annotations

import numpy as np
import pytest

from edgeflow.errors import InfeasibleError
from edgeflow.figures import FigureKind
from edgeflow.grow.cost import DeviceCost, Limits
from edgeflow.nets.network import NetworkSpec
from edgeflow.nets.specs import Convolution, GlobalAveragePool, InvertedResidual, Logits
from edgeflow.pipeline.searching import Question, predicted, search
from edgeflow.progress import silent
from edgeflow.search.candidates import space
from edgeflow.search.costs import CandidateCosts
from edgeflow.search.infeasible import NoChoiceError
from edgeflow.search.space import Choice

SPEC = NetworkSpec(
    name="teacher",
    input_shape=(8, 8, 1),
    cells=(
        Convolution(channels=8, stride=(2, 2)),
        InvertedResidual(channels=8, expansion=2),
        Convolution(channels=16),
        GlobalAveragePool(),
        Logits(units=10),
    ),
)
SPACE = space(SPEC, 4, (8, 4, 2))


def _costs() -> CandidateCosts:
    rng = np.random.default_rng(0)
    sizes = [len(cell.candidates) for cell in SPACE.cells]
    return CandidateCosts(
        instructions=tuple(rng.integers(1_000, 50_000, n).astype(float) for n in sizes),
        flash_bytes=tuple(rng.integers(100, 4_000, n).astype(float) for n in sizes),
        ram_bytes=tuple(rng.integers(1_000, 3_000, n).astype(float) for n in sizes),
        fixed_instructions=10_000.0,
        fixed_flash_bytes=6_000.0,
        fixed_ram_bytes=900.0,
    )


COSTS = _costs()
# What is cheap adds to the loss.
SCORES = tuple(2_000.0 / own for own in COSTS.instructions)


def _question(limits: Limits, error: float) -> Question:
    def count(choice: Choice) -> DeviceCost:
        told = predicted(COSTS, choice)
        return DeviceCost(
            instructions=int(told["instructions"] * (1 + error)),
            flash_bytes=int(told["flash_bytes"] + 2_000 * error),
            ram_bytes=int(told["ram_bytes"]),
            kind=FigureKind.SIMULATED,
        )

    def loss(choice: Choice) -> float:
        return float(sum(own[i] for own, i in zip(SCORES, choice, strict=True)))

    return Question(SPACE, SCORES, COSTS, limits, 4, 0.7, loss, count)


@pytest.mark.parametrize("error", [-0.1, 0.0, 0.05, 0.2])
def test_the_build_keeps_the_limits_whatever_the_estimates_leave_out(error: float) -> None:
    limits = Limits(instructions=60_000, flash_bytes=12_000, ram_bytes=2_800)
    question = _question(limits, error)
    answer = search(question, silent)
    assert limits.allow(answer.counted)
    counted = question.count(answer.choice)
    assert counted == answer.counted


def test_a_limit_that_estimates_leave_unused_is_used() -> None:
    limits = Limits(instructions=60_000)
    lax = search(_question(limits, -0.2), silent)
    exact = search(_question(limits, 0.0), silent)
    assert lax.looked[0].loss < exact.looked[0].loss


def test_the_solutions_come_best_loss_first_and_differ() -> None:
    answer = search(_question(Limits(instructions=60_000), 0.0), silent)
    losses = [looked.loss for looked in answer.looked]
    assert losses == sorted(losses)
    choices = [looked.solution.choice for looked in answer.looked]
    most = int(0.7 * len(SPACE.cells))
    for i, one in enumerate(choices):
        for other in choices[:i]:
            assert sum(a == b for a, b in zip(one, other, strict=True)) <= most


def test_limits_below_every_candidate_are_refused_with_what_binds() -> None:
    with pytest.raises(NoChoiceError) as caught:
        search(_question(Limits(instructions=11_000, ram_bytes=2_000), 0.0), silent)
    assert {reach.limit for reach in caught.value.reaches} >= {"instructions"}


def test_a_network_that_does_not_fit_the_device_is_refused() -> None:
    question = _question(Limits(instructions=60_000), 0.0)
    with pytest.raises(InfeasibleError, match="does not fit"):
        search(
            Question(**{**vars(question), "count": lambda choice: None}),
            silent,
        )


def test_room_is_left_for_what_training_adds_to_a_build() -> None:
    """A trained network of 17,560 bytes of flash was counted with 16,552 before its training."""
    cheapest = COSTS.fixed_flash_bytes + sum(float(own.min()) for own in COSTS.flash_bytes)
    limit = int(cheapest) + 4_000
    answer = search(_question(Limits(flash_bytes=limit), error=0.0), silent)
    assert answer.counted.flash_bytes <= limit - 1_024
    with pytest.raises(InfeasibleError):
        search(_question(Limits(flash_bytes=int(cheapest) + 1_000), error=0.0), silent)


def test_where_the_best_build_exceeds_a_limit_the_next_best_that_keeps_it_is_taken() -> None:
    """What builds share is not in the estimates, and may differ from solution to solution."""
    question = _question(Limits(flash_bytes=12_000), error=0.0)
    plain = search(question, silent)
    best = plain.looked[0].solution.choice

    def count(choice: Choice) -> DeviceCost:
        taken = question.count(choice)
        assert taken is not None
        more = 5_000 if choice == best else 0
        return DeviceCost(
            taken.instructions, taken.flash_bytes + more, taken.ram_bytes, FigureKind.SIMULATED
        )

    answer = search(Question(**{**vars(question), "count": count}), silent)
    assert answer.choice != best
    assert answer.looked[0].loss <= min(each.loss for each in plain.looked[1:])
    assert all(each.exceeds == (each.solution.choice == best) for each in answer.looked)
    assert question.limits.allow(answer.counted)
