"""How far scores tell networks apart: `python -m benchmarks.search.correlation SCENE`.

Networks are solutions of the integer program for several budgets of instructions, several for each,
as a search looks at them. Spearman's rank correlation of the sum of their scores with their
measured loss before fine-tuning, and with their validation accuracy after a short one, taught by
the teacher.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.search.scenes import SCENES, TARGET
from benchmarks.search.searched import OVERLAP, Material, contestant, material
from benchmarks.search.training import Budget, trained
from edgeflow import __version__
from edgeflow.grow.cost import Limits
from edgeflow.progress import ProgressEvent
from edgeflow.search.correlation import correlation
from edgeflow.search.formulate import formulate
from edgeflow.search.problem import Solution
from edgeflow.search.program import solve_diverse
from edgeflow.targets.registry import load


def solutions(found: Material, budgets: int, each: int) -> Iterator[Solution]:
    """`each` solutions for budgets from a tenth of the teacher's instructions to all of them."""
    costs = found.costs.costs
    whole = costs.fixed_instructions + sum(float(own[0]) for own in costs.instructions)
    for share in np.geomspace(0.1, 1.0, budgets):
        limits = Limits(instructions=int(share * whole))
        problem = formulate(found.space, found.scores, costs, limits)
        yield from solve_diverse(problem, each, overlap=OVERLAP)


def measured(found: Material, solution: Solution, epochs: int, folder: Path) -> dict[str, Any]:
    """Sum of scores, loss before fine-tuning, and validation accuracy after it."""
    scene = found.scene
    budget = Budget(epochs, 0, scene.budget.augmentation, scene.budget.batch_size)
    made = contestant(found, solution.choice)
    after = trained(made, scene.dataset, budget, 0, folder, _say)
    return {
        "instructions": round(solution.used["instructions"]),
        "score": round(solution.score, 6),
        "loss_before": round(found.loss(solution.choice), 6),
        "accuracy_after": round(after.validation_score, 6),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and tell; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scene", choices=sorted(SCENES))
    parser.add_argument("--shared", type=Path, required=True, help="folder with data/")
    parser.add_argument("--folder", type=Path, required=True, help="what was trained is kept here")
    parser.add_argument("--output", type=Path, help="write the JSON document here")
    parser.add_argument("--teacher", default="", help="whose space; else the scene's first")
    parser.add_argument("--budgets", type=int, default=4)
    parser.add_argument("--networks", type=int, default=3, help="for each budget")
    parser.add_argument("--epochs", type=int, default=1, help="of fine-tuning")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    scene = SCENES[options.scene](options.shared)
    spec = next(each for each in scene.teachers if options.teacher in ("", each.name))
    found = material(scene, spec, load(TARGET), options.folder, _say)
    rows = []
    for solution in solutions(found, options.budgets, options.networks):
        rows.append(measured(found, solution, options.epochs, options.folder))
        sys.stderr.write(f"{rows[-1]}\n")
    sums = [row["score"] for row in rows]
    before = correlation(sums, [row["loss_before"] for row in rows])
    after = correlation(sums, [-row["accuracy_after"] for row in rows])
    given = sys.argv[1:] if arguments is None else list(arguments)
    document = {
        "command": shlex.join(["python", "-m", "benchmarks.search.correlation", *given]),
        "edgeflow_version": __version__,
        "kind": "measured",
        "before_fine_tuning": asdict(before),
        "after_fine_tuning": asdict(after),
        "networks": rows,
    }
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    if options.output is not None:
        options.output.write_text(text, encoding="utf-8", newline="\n")
    sys.stdout.write(text)
    return 0


def _say(event: ProgressEvent) -> None:
    if event.done and event.done == event.total:
        sys.stderr.write(f"  [{event.stage}] {event.message}\n")


if __name__ == "__main__":
    sys.exit(main())
