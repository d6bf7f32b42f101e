"""A short line of real stages for tests of the engine: digits, their mean, distances to it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from edgeflow.pipeline.build import BuildResult, run_plan
from edgeflow.pipeline.config import Config, from_values
from edgeflow.pipeline.plan import Plan
from edgeflow.pipeline.stage import Stage, StageContext
from edgeflow.pipeline.steps import data
from edgeflow.pipeline.steps.data import read_dataset
from edgeflow.pipeline.steps.files import read_arrays, write_arrays, write_document
from edgeflow.targets import registry

PAUSE_SECONDS = 0.0
EXTRA_BYTES = 0


def mean_image(context: StageContext) -> None:
    dataset = read_dataset(context.inputs["data"])
    time.sleep(PAUSE_SECONDS)
    write_arrays(context.output / "mean.npz", {"mean": dataset.train.x.mean(axis=0)})
    (context.output / "ballast").write_bytes(b"\1" * EXTRA_BYTES)
    time.sleep(PAUSE_SECONDS)


def distances(context: StageContext) -> None:
    dataset = read_dataset(context.inputs["data"])
    mean = read_arrays(context.inputs["mean"] / "mean.npz")["mean"]
    time.sleep(PAUSE_SECONDS)
    distance = np.abs(dataset.test.x - mean).sum(axis=(1, 2, 3))
    folder = context.output / "deep" / "er"
    folder.mkdir(parents=True)
    write_document(folder / "distances.json", [float(value) for value in distance])


def bundle(context: StageContext) -> None:
    folder = context.output / "bundle"
    folder.mkdir()
    for name in context.inputs:
        for path in context.inputs[name].rglob("*"):
            if path.is_file():
                (folder / f"{name}-{path.name}").write_bytes(path.read_bytes())
                time.sleep(PAUSE_SECONDS / 4)
    write_document(folder / "manifest.json", sorted(p.name for p in folder.iterdir()))


LINE = (
    Stage("data", data.run, options=("data",), packages=("numpy", "scikit-learn")),
    Stage("mean", mean_image, reads=("data",), options=("seed",)),
    Stage("distances", distances, reads=("data", "mean"), options=("budget",)),
    Stage("bundle", bundle, reads=("mean", "distances")),
)


def plan(config: Config) -> Plan:
    return Plan(
        config=config,
        target=registry.load("cortex-m4"),
        data_digest=None,
        model_digest=None,
        weights_digest=None,
        stages=LINE,
    )


def run_line(run_dir: Path, seed: int = 0) -> BuildResult:
    return run_plan(plan(from_values({"build": {"seed": seed}}, "test")), run_dir)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
