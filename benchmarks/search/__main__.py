"""What searched networks reach against networks drawn by hand: `python -m benchmarks.search`.

All networks of a scene get the same final training and the same seeds. Accuracies are those of the
int8 network on all test samples, by the generated C on this host; `--device-images` of them run on
the emulated device too, and have to give the same bytes. Instructions, flash and RAM are those of
the emulated device. Everything that was trained is kept in `--folder`, so that a run of hours goes
on where it was interrupted; the results are written after every network, and what `--output`
already holds of the same setting is not made again.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.search import document
from benchmarks.search.counted import Counted, counted
from benchmarks.search.markdown import tables
from benchmarks.search.scenes import SCENES, SEEDS, TARGET, Scene
from benchmarks.search.searched import (
    Material,
    answer_document,
    best_answer,
    contestant,
    correlation_document,
    materials,
)
from benchmarks.search.training import Contestant, from_scratch, integer_graph
from edgeflow import __version__
from edgeflow.errors import EdgeflowError
from edgeflow.progress import ProgressEvent
from edgeflow.targets.registry import load
from edgeflow.targets.schema import Target

_SAID = ("costs", "pool", "scores", "search")


class Comparison:
    """One scene's results while they grow; written after every network."""

    def __init__(self, scene: Scene, target: Target, options: argparse.Namespace) -> None:
        self.scene = scene
        self.target = target
        self.options = options
        self.setting = {
            "data": scene.dataset.content_hash,
            "target": target.name,
            "budget": asdict(scene.budget),
            "teacher_budget": asdict(scene.teacher_budget),
            "teachers": [teacher.model_dump(mode="json") for teacher in scene.teachers],
            "tutor": scene.tutor.name,
            "pool": scene.pool.model_dump(mode="json"),
        }
        self.counted = document.known_runs(options.output, options.scene, self.setting)
        self.facts: dict[str, Any] = {}
        self.answers: dict[str, Any] = {}

    def measure(self, name: str, seeds: Sequence[int], made: Contestant | None) -> None:
        """Train and count a network with every seed; None: the rival of that name, from scratch."""
        own = self.counted.setdefault(name, {})
        for seed in seeds:
            if seed in own:
                continue
            each = from_scratch(self.scene.rivals[name], seed) if made is None else made
            data, budget = self.scene.dataset, self.scene.budget
            graph = integer_graph(each, data, budget, seed, self.options.folder, _say)
            found = counted(graph, data, self.target, self.options.device_images)
            own[seed] = found
            _tell(
                f"{name}, seed {seed}: {found.accuracy:.2%}, {found.instructions:,} instructions, "
                f"{found.flash_bytes:,} bytes of flash, {found.ram_bytes:,} of RAM"
            )
            self.write()

    @property
    def runs(self) -> dict[str, list[Counted]]:
        """What the seeds of every network gave."""
        return {name: list(found.values()) for name, found in self.counted.items()}

    def write(self) -> None:
        """Put what is known into the results' file."""
        if self.options.output is not None:
            document.write(self.options.output, self.options.scene, self.as_document())

    def as_document(self) -> dict[str, Any]:
        """All that is known."""
        scene = self.scene
        return {
            "command": self.options.command,
            "edgeflow_version": __version__,
            "target": self.target.name,
            "data": scene.name,
            "setting": self.setting,
            "accuracy_kind": "measured",
            "counts_kind": "simulated",
            "networks": document.networks_document(self.counted),
            "answers": self.answers,
            "goals": document.goals_document(scene.goals, self.runs),
            **self.facts,
        }


def compare(comparison: Comparison) -> None:
    """Rivals, then the searched networks of all goals."""
    options, scene = comparison.options, comparison.scene
    for name in scene.rivals:
        comparison.measure(name, options.seeds, None)
    found = materials(scene, comparison.target, options.folder, _say)
    comparison.facts["spaces"] = {each.space.teacher.name: _facts(each) for each in found}
    for goal in scene.goals:
        best, given = best_answer(found, goal, comparison.runs, options.folder, _say)
        comparison.answers[goal.name] = answer_document(best, given)
        comparison.measure(goal.name, options.seeds, contestant(best, given.choice))
    comparison.write()


def _facts(found: Material) -> dict[str, Any]:
    return {
        "teacher_validation_accuracy": round(found.teacher_accuracy, 4),
        "cells": len(found.space.cells),
        "candidates": [len(cell.candidates) for cell in found.space.cells],
        "operators": found.costs.operators,
        "operators_predicted": found.costs.predicted,
        "correlation": correlation_document(found),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a scene's comparison; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("scene", choices=sorted(SCENES))
    parser.add_argument("--shared", type=Path, required=True, help="folder with data/")
    parser.add_argument("--folder", type=Path, required=True, help="what was trained is kept here")
    parser.add_argument("--output", type=Path, help="write the JSON document here")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--device-images", type=int, default=1000)
    options = parser.parse_args(arguments)
    given = sys.argv[1:] if arguments is None else list(arguments)
    options.command = shlex.join(["python", "-m", "benchmarks.search", *given])
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
        comparison = Comparison(SCENES[options.scene](options.shared), load(TARGET), options)
        compare(comparison)
    except EdgeflowError as error:
        _tell(f"{error.message}\n{error.hint}")
        return int(error.exit_code)
    sys.stdout.write(tables({options.scene: comparison.as_document()}))
    return 0


def _tell(text: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


def _say(event: ProgressEvent) -> None:
    if event.stage in _SAID or (event.done and not event.message.count("batch")):
        count = f" {event.done}/{event.total}" if event.total > 1 else ""
        _tell(f"  [{event.stage}]{count} {event.message} {dict(event.values) or ''}")


if __name__ == "__main__":
    sys.exit(main())
