"""A scene's results as one JSON document that grows from run to run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.search.counted import Counted
from benchmarks.search.goals import Goal, Outcome, outcome


def goals_document(goals: Sequence[Goal], runs: Mapping[str, Sequence[Counted]]) -> list[Any]:
    """The outcomes of the goals whose networks are all there."""
    return [
        _outcome_document(outcome(goal, runs))
        for goal in goals
        if all(runs.get(name) for name in (goal.name, goal.limit_of, goal.floor_of))
    ]


def _outcome_document(found: Outcome) -> dict[str, Any]:
    return {
        **asdict(found),
        "points_above": round(found.points_above, 2),
        "reached": found.reached,
    }


def networks_document(runs: Mapping[str, Mapping[int, Counted]]) -> dict[str, Any]:
    """What every seed of every network gave; accuracies are measured, the rest is simulated."""
    return {
        name: [{"seed": seed, **asdict(run)} for seed, run in found.items()]
        for name, found in runs.items()
    }


def known_runs(
    path: Path | None, scene: str, setting: Mapping[str, Any]
) -> dict[str, dict[int, Counted]]:
    """What earlier runs of the scene in the same setting have counted, by name and seed."""
    if path is None or not path.is_file():
        return {}
    found = json.loads(path.read_text("utf-8")).get(scene, {})
    if found.get("setting") != json.loads(json.dumps(setting)):
        return {}
    return {
        name: {row.pop("seed"): Counted(**row) for row in rows}
        for name, rows in found["networks"].items()
    }


def write(path: Path, scene: str, document: Mapping[str, Any]) -> None:
    """Put a scene's document in the place of the one before; other scenes stay as they are."""
    known = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    known[scene] = document
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(known, indent=1, sort_keys=True) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")
