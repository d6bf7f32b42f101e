"""Runs the stages data and train of a build; argument: the run directory."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from edgeflow.cli.outcome import run_command
from edgeflow.cli.progress import print_line
from edgeflow.pipeline.build import BuildResult, run_plan
from edgeflow.pipeline.config import from_values
from edgeflow.pipeline.plan import make_plan
from edgeflow.pipeline.stages import DATA, TRAIN
from edgeflow.progress import Progress, silent

OPTIONS = {
    "epochs": 6,
    "batch_size": 64,
    "ema": 0.9,
    "augmentation": ["shift", "mixup"],
    "sanity_checks": False,
}


def train(run_dir: Path, progress: Progress = silent) -> BuildResult:
    config = from_values({"train": OPTIONS}, "test")
    plan = dataclasses.replace(make_plan(config), stages=(DATA, TRAIN))
    return run_plan(plan, run_dir, progress)


def main() -> int:
    train(Path(sys.argv[1]), print_line)
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main, as_json=False, debug=False))
