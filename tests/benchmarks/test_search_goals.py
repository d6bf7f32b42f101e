"""Goals of the search's comparison: limits, accuracies to reach, and how they are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.search import document
from benchmarks.search.counted import Counted
from benchmarks.search.goals import Goal, Resource, outcome
from benchmarks.search.markdown import tables


def _counted(accuracy: float, instructions: int, flash: int = 30_000) -> Counted:
    return Counted(accuracy, 10_000, accuracy, 200, 200, instructions, flash, 9_000)


GOALS = (
    Goal("a third", Resource.INSTRUCTIONS, "reference", 1 / 3, "drawn", 0.0),
    Goal("as many", Resource.INSTRUCTIONS, "drawn", 1.0, "drawn", 1.0),
)
RUNS = {
    "reference": [_counted(0.76, 12_000_000), _counted(0.77, 12_300_000)],
    "drawn": [_counted(0.78, 6_000_000), _counted(0.79, 6_000_000)],
    "a third": [_counted(0.79, 3_900_000), _counted(0.80, 3_950_000)],
    "as many": [_counted(0.79, 5_900_000), _counted(0.79, 6_000_001)],
}


def test_a_goal_is_reached_by_the_mean_within_the_limit_of_the_cheapest_run() -> None:
    found = outcome(GOALS[0], RUNS)
    assert (found.limit, found.taken) == (4_000_000, 3_950_000)
    assert found.floor == pytest.approx(0.785)
    assert found.points_above == pytest.approx(1.0)
    assert found.reached


def test_one_seed_above_the_limit_misses_the_goal() -> None:
    found = outcome(GOALS[1], RUNS)
    assert found.taken > found.limit
    assert not found.reached
    assert found.points_above == pytest.approx(-0.5)


def test_goals_without_their_networks_are_left_out() -> None:
    known = {name: runs for name, runs in RUNS.items() if name != "as many"}
    assert [row["goal"]["name"] for row in document.goals_document(GOALS, known)] == ["a third"]


def test_a_scene_takes_the_place_of_its_own_results_alone(tmp_path: Path) -> None:
    path = tmp_path / "results" / "search.json"
    document.write(path, "one", {"networks": 1})
    document.write(path, "other", {"networks": 2})
    document.write(path, "one", {"networks": 3})
    assert json.loads(path.read_text()) == {"one": {"networks": 3}, "other": {"networks": 2}}


def test_a_later_run_knows_the_seeds_of_an_earlier_one_in_the_same_setting(
    tmp_path: Path,
) -> None:
    path, setting = tmp_path / "search.json", {"budget": {"augmentation": ("flip",)}}
    counted = {"reference": {0: RUNS["reference"][0], 2: RUNS["reference"][1]}}
    networks = document.networks_document(counted)
    document.write(path, "scene", {"setting": setting, "networks": networks})
    assert document.known_runs(path, "scene", setting) == counted
    assert document.known_runs(path, "scene", {"budget": {}}) == {}
    assert document.known_runs(path, "another", setting) == {}
    assert document.known_runs(None, "scene", setting) == {}


def test_the_tables_show_means_limits_and_what_is_missed() -> None:
    counted = {name: dict(enumerate(runs)) for name, runs in RUNS.items()}
    scene = {
        "networks": document.networks_document(counted),
        "goals": document.goals_document(GOALS, RUNS),
    }
    text = tables({"scene": scene})
    assert "| drawn | 78.50% (78.00%, 79.00%) | 6,000,000 | 30,000 | 9,000 |" in text
    assert "| a third | 4,000,000 | 3,950,000 | 78.50% | 79.50% | +1.00 |" in text
    assert "-0.50 (missed) |" in text
