"""Growth trains and grows in turn, takes what pays most for its cost, and keeps to its limits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from edgeflow.data.dataset import Dataset
from edgeflow.data.options import DataOptions
from edgeflow.data.sources import load
from edgeflow.errors import InfeasibleError
from edgeflow.figures import FigureKind
from edgeflow.grow.controller import grow
from edgeflow.grow.cost import DeviceCost, Limits, NetworkCost
from edgeflow.grow.options import CostUnit, GrowOptions
from edgeflow.grow.record import Grown, Stopped, Terms
from edgeflow.nets.network import NetworkSpec, build
from edgeflow.nets.registry import specify
from edgeflow.progress import ProgressEvent
from edgeflow.train.options import TrainOptions

TRAIN = TrainOptions(epochs=2)
QUICK = GrowOptions(epochs=1, steps=3, samples=64)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load(DataOptions())


def parameters(spec: NetworkSpec) -> int:
    return sum(p.numel() for p in build(spec, 0).parameters())


def estimate(spec: NetworkSpec) -> NetworkCost:
    size = parameters(spec)
    return NetworkCost(10.0 * size, size, size, FigureKind.ESTIMATED)


def count(spec: NetworkSpec) -> DeviceCost:
    size = parameters(spec)
    return DeviceCost(10 * size, size, size, FigureKind.SIMULATED)


def terms(limits: Limits | None = None, goal: float | None = None) -> Terms:
    return Terms(estimate, count, limits or Limits(), goal)


def grown(dataset: Dataset, options: GrowOptions, given: Terms) -> Grown:
    return grow(specify("seed", (8, 8, 1), 10), dataset, options, TRAIN, given)


def test_growth_adds_what_it_says_and_ends_after_its_steps(digits: Dataset) -> None:
    found = grown(digits, QUICK, terms())
    assert found.stopped is Stopped.STEPS
    sizes = [point.parameters for point in found.curve]
    assert sizes[:4] == sorted(set(sizes[:4]))
    assert [point.epochs for point in found.curve] == [1, 2, 3, 4, 6]
    assert found.curve[0].action == "start"
    assert found.curve[-1].action == "the best trained on"
    assert found.trained.validation_score == max(p.score for p in found.curve)
    assert sum(p.numel() for p in found.trained.network.parameters()) == parameters(found.spec)
    assert found.trained.network(torch.zeros(1, 1, 8, 8)).shape == (1, 10)


def test_growth_is_bit_identical_for_equal_options(digits: Dataset) -> None:
    first, second = (grown(digits, QUICK, terms()) for _ in range(2))
    assert first.curve == second.curve
    states = first.trained.network.state_dict(), second.trained.network.state_dict()
    assert all(torch.equal(a, b) for a, b in zip(*(s.values() for s in states), strict=True))


def test_interrupted_growth_goes_on_to_the_same_network(digits: Dataset, tmp_path: Path) -> None:
    class KilledError(Exception):
        pass

    def kill(event: ProgressEvent) -> None:
        if event.message.startswith("epoch 3"):
            raise KilledError

    spec, told = specify("seed", (8, 8, 1), 10), []
    with pytest.raises(KilledError):
        grow(spec, digits, QUICK, TRAIN, terms(), kill, checkpoints=tmp_path)
    resumed = grow(spec, digits, QUICK, TRAIN, terms(), told.append, checkpoints=tmp_path)
    whole = grown(digits, QUICK, terms())
    assert not any(event.message.startswith("epoch 2") for event in told)
    assert (resumed.curve, resumed.history) == (whole.curve, whole.history)
    states = resumed.trained.network.state_dict(), whole.trained.network.state_dict()
    assert all(torch.equal(a, b) for a, b in zip(*(s.values() for s in states), strict=True))


def test_growth_ends_at_its_goal(digits: Dataset) -> None:
    found = grown(digits, QUICK.model_copy(update={"epochs": 3}), terms(goal=0.2))
    assert found.stopped is Stopped.GOAL
    assert found.curve[-2].score >= 0.2
    assert all(point.score < 0.2 for point in found.curve[:-2])


def test_no_network_that_is_taken_is_over_a_limit(digits: Dataset) -> None:
    limits = Limits(flash_bytes=500)
    found = grown(digits, QUICK.model_copy(update={"steps": 30, "neurons": 2}), terms(limits))
    assert found.stopped is Stopped.LIMITS
    assert all(point.cost.flash_bytes <= 500 for point in found.curve)
    assert found.curve[0].cost.flash_bytes < found.curve[-2].cost.flash_bytes


def test_a_first_network_over_a_limit_is_infeasible_with_the_figures(digits: Dataset) -> None:
    with pytest.raises(InfeasibleError, match="2,460 instructions, 246 bytes of flash"):
        grown(digits, QUICK, terms(Limits(flash_bytes=200)))


def test_a_first_network_that_the_target_does_not_hold_is_infeasible(digits: Dataset) -> None:
    given = Terms(estimate, lambda spec: None, Limits(), None)
    with pytest.raises(InfeasibleError, match="does not fit the target"):
        grown(digits, QUICK, given)


def test_growth_that_no_longer_helps_is_given_up_and_its_best_network_kept(
    digits: Dataset,
) -> None:
    options = QUICK.model_copy(update={"steps": 40, "give_up": 1, "epochs": 2})
    found = grown(digits, options, terms())
    assert found.stopped is Stopped.STANDSTILL
    scores = [point.score for point in found.curve[:-1]]
    assert scores[-1] <= max(scores[:-1])
    best = found.curve[scores.index(max(scores))]
    assert parameters(found.spec) == best.parameters


def test_a_plateau_is_answered_with_depth(digits: Dataset) -> None:
    # No improvement is large enough, so that every second network stands still.
    options = QUICK.model_copy(update={"patience": 1, "minimal_improvement": 0.99})
    found = grown(digits, options, terms())
    assert any("inserted" in point.action for point in found.curve)
    assert len(found.spec.cells) > len(specify("seed", (8, 8, 1), 10).cells)
    without = grown(digits, options.model_copy(update={"deepen": False}), terms())
    assert not any("inserted" in point.action for point in without.curve)


def test_what_an_added_unit_costs_decides_where_channels_go(digits: Dataset) -> None:
    # The same gains, other prices: instructions only for the first convolution's channels, or
    # only for the second's.
    def priced(cell: int) -> Terms:
        def cost(spec: NetworkSpec) -> NetworkCost:
            channels = spec.shapes()[cell + 1][2]
            return NetworkCost(1e9 * channels, 0, 0, FigureKind.ESTIMATED)

        return Terms(cost, count, Limits(), None)

    options = QUICK.model_copy(update={"steps": 1, "deepen": False, "cost": CostUnit.INSTRUCTIONS})
    first = grown(digits, options, priced(1)).curve[1].action
    second = grown(digits, options, priced(0)).curve[1].action
    assert first == "4 channels more after cell 0"
    assert second == "4 channels more after cell 1"
