"""Many networks as one program against one after another: `python -m benchmarks.train.together`.

Networks per second of K trainings as `train.fit_stacked` runs them, and of one `fit` after another,
in CPU time of one thread. A step is a batch of 32 with its share of everything else that the loops
do; the data are random, as the time does not depend on them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.train.frame import forward_macs
from edgeflow.data.dataset import Dataset, Split
from edgeflow.data.options import DataOptions
from edgeflow.data.preprocessing import Affine
from edgeflow.data.sources import load
from edgeflow.nets.network import NetworkSpec, build
from edgeflow.nets.registry import specify
from edgeflow.nets.specs import (
    AnyCell,
    Convolution,
    Dense,
    DepthwiseSeparable,
    GlobalAveragePool,
    Logits,
    MaxPool,
    Residual,
    ShapeHWC,
)
from edgeflow.train.fit import fit
from edgeflow.train.fit_stacked import Run, fit_stacked
from edgeflow.train.options import TrainOptions
from edgeflow.train.together import gains, largest_activation_bytes

COUNTS = (1, 2, 4, 8, 16, 32)
SAMPLES = 256
OPTIONS = TrainOptions(epochs=2, learning_rate=1e-3)
REPEATS = 3


def _cells(*body: AnyCell) -> tuple[AnyCell, ...]:
    return (*body, Logits(units=10))


NETWORKS: Mapping[str, tuple[ShapeHWC, tuple[AnyCell, ...]]] = {
    "dense, 64-32": ((8, 8, 1), _cells(Dense(units=64), Dense(units=32))),
    "dense, 4 x 128": ((8, 8, 1), _cells(*[Dense(units=128)] * 4)),
    "dense, 3 x 256": ((16, 16, 1), _cells(*[Dense(units=256)] * 3)),
    "convolutions of 4, 8": (
        (8, 8, 1),
        _cells(Convolution(channels=4), MaxPool(), Convolution(channels=8), GlobalAveragePool()),
    ),
    "small on digits": ((8, 8, 1), specify("small", (8, 8, 1), 10).cells),
    "separable, 16": (
        (49, 10, 1),
        _cells(
            Convolution(channels=16, kernel=(10, 4), stride=(2, 2)),
            DepthwiseSeparable(channels=16),
            DepthwiseSeparable(channels=16),
            GlobalAveragePool(),
        ),
    ),
    "residual of 8, 16": (
        (16, 16, 3),
        _cells(
            Convolution(channels=8),
            Residual(channels=8),
            Residual(channels=16, stride=(2, 2)),
            GlobalAveragePool(),
        ),
    ),
    "convolutions of 16, 32, 32": (
        (32, 32, 3),
        _cells(
            Convolution(channels=16),
            MaxPool(),
            Convolution(channels=32),
            MaxPool(),
            Convolution(channels=32),
            GlobalAveragePool(),
        ),
    ),
}


def random_data(shape: ShapeHWC) -> Dataset:
    """Random samples of ten classes."""
    digits, generator = load(DataOptions()), np.random.default_rng(0)
    x = generator.standard_normal((2 * SAMPLES, *shape)).astype(np.float32)
    y = generator.integers(0, 10, len(x))
    train, rest = Split(x[:SAMPLES], y[:SAMPLES]), Split(x[SAMPLES:], y[SAMPLES:])
    affine = Affine(scale=(1.0,), offset=(0.0,))
    preprocessing = digits.preprocessing.model_copy(update={"affine": affine})
    return replace(digits, train=train, validation=rest, test=rest, preprocessing=preprocessing)


def measure(spec: NetworkSpec, counts: Sequence[int]) -> dict[str, float]:
    """Networks per second for each count, `alone` for one after another."""
    data = random_data(spec.input_shape)
    found = {"alone": 1.0 / _seconds(lambda: fit(build(spec, 0), data, OPTIONS))}
    for count in counts:
        runs = [Run(build(spec, k), k, OPTIONS.learning_rate) for k in range(count)]
        found[str(count)] = count / _seconds(partial(fit_stacked, runs, data, OPTIONS))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.train.together", description=__doc__
    )
    parser.add_argument("--counts", type=int, nargs="+", default=list(COUNTS))
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args(arguments)
    rows = {}
    for name, (shape, cells) in NETWORKS.items():
        spec = NetworkSpec(name="benchmark", input_shape=shape, cells=cells)
        size = largest_activation_bytes(build(spec, 0), random_data(shape), OPTIONS.batch_size)
        rows[name] = {
            "macs": forward_macs(spec),
            "largest activation, bytes": size,
            "networks in one program": gains(size, OPTIONS),
            "networks per second": measure(spec, options.counts),
        }
        print(name, file=sys.stderr)
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        Console(width=150).print(_table(rows, options.counts))
    return 0


def _seconds(train: Callable[[], object]) -> float:
    """CPU time of the fastest of some runs: the machine may be shared."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        train()
        times.append(time.process_time() - start)
    return min(times)


def _table(rows: Mapping[str, dict[str, object]], counts: Sequence[int]) -> Table:
    table = Table(title="Networks/s of CPU time (two epochs of 8 steps), and against one by one")
    table.add_column("network")
    for name in ("MACs", "alone", *(f"K = {count}" for count in counts), "chosen"):
        table.add_column(name, justify="right")
    for name, row in rows.items():
        rates = row["networks per second"]
        assert isinstance(rates, dict)
        shown = [f"{rates[str(k)]:.1f}\nx{rates[str(k)] / rates['alone']:.2f}" for k in counts]
        most = row["networks in one program"]
        chosen = "one by one" if most == 1 else f"up to {most}"
        table.add_row(name, f"{row['macs']:,}", f"{rates['alone']:.1f}", *shown, chosen)
    return table


if __name__ == "__main__":
    raise SystemExit(main())
