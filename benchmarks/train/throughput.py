"""Images per second of edgeflow's training loop and of a plain one.

    python -m benchmarks.train.throughput [--json]

CIFAR-10's shape (random 32 x 32 x 3 uint8 images: no transform looks at what they show), flip and
shifts by up to 4 pixels, batches of 128, AdamW, label smoothing, one torch thread. The plain loop
transforms image by image with PIL behind a DataLoader, in its own process and with two workers; its
data alone are timed too, which tells whether it is bound by them. Epochs of all loops alternate;
the figures are medians. Exit code 1: below the bar where the plain loop is bound by its data.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from benchmarks.train import plain_loop
from edgeflow.data.dataset import Dataset, Split
from edgeflow.data.preprocessing import Axis, ImageFrontEnd, Preprocessing, standard_affine
from edgeflow.nets.network import NetworkSpec, build
from edgeflow.nets.registry import specify
from edgeflow.nets.specs import Convolution, GlobalAveragePool, Logits
from edgeflow.progress import silent
from edgeflow.train.batches import source
from edgeflow.train.determinism import deterministic
from edgeflow.train.epoch import train_epoch
from edgeflow.train.fit import start
from edgeflow.train.guidance import BY_TARGETS
from edgeflow.train.options import Augmentation, TrainOptions

SHAPE = (32, 32, 3)
CLASSES = 10
BATCH_SIZE = 128
BAR = 1.5
DATA_BOUND = 0.5  # share of an epoch that the data take alone
OURS, PLAIN, WORKERS, DATA = (
    "edgeflow",
    "plain loop",
    "plain loop, 2 workers",
    "plain loop's data alone",
)

TINY = NetworkSpec(
    name="tiny",
    input_shape=SHAPE,
    cells=(Convolution(channels=8, stride=(2, 2)), GlobalAveragePool(), Logits(units=CLASSES)),
)


@dataclass(frozen=True)
class Row:
    """Images per second of one loop: median, slowest and fastest epoch; and how ours compares."""

    network: str
    loop: str
    images_per_second: float
    slowest: float
    fastest: float
    times_as_fast_is_edgeflow: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train.throughput")
    parser.add_argument("--images", type=int, default=2560, help="of an epoch")
    parser.add_argument("--rounds", type=int, default=5, help="timed epochs of each loop")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args(arguments)
    specs = (TINY, specify("mlperf-resnet8", SHAPE, CLASSES))
    rows = [row for spec in specs for row in measure(spec, given.images, given.rounds)]
    if given.json:
        print(json.dumps({"batch_size": BATCH_SIZE, "rows": [asdict(row) for row in rows]}))
    else:
        Console(width=110, highlight=False).print(_table(rows))
    return 0 if all(_is_fast_enough(rows, spec.name) for spec in specs) else 1


def measure(spec: NetworkSpec, images: int, rounds: int) -> list[Row]:
    """Rows of one network, its loops taking turns."""
    with contextlib.ExitStack() as stack:
        epochs = loops(spec, images, stack)
        for run in epochs.values():
            run()  # workers start, memory is found
        rates: dict[str, list[float]] = {name: [] for name in epochs}
        for _ in range(rounds):
            for name, run in epochs.items():
                begin = time.perf_counter()
                run()
                rates[name].append(images / (time.perf_counter() - begin))
    ours = median(rates[OURS])
    return [
        Row(spec.name, name, median(values), min(values), max(values), ours / median(values))
        for name, values in rates.items()
    ]


def loops(
    spec: NetworkSpec, images: int, stack: contextlib.ExitStack
) -> Mapping[str, Callable[[], object]]:
    """Functions that run one epoch of each loop, under settings that `stack` ends."""
    data = dataset(images)
    x, y = data.train.x, data.train.labels
    alone = plain_loop.loader(x, y, BATCH_SIZE, 0)
    options = TrainOptions(
        epochs=1000,  # the schedule's length, which no step's time depends on
        batch_size=BATCH_SIZE,
        augmentation=(Augmentation.FLIP, Augmentation.SHIFT),
    )
    stack.enter_context(_one_thread())
    return {
        OURS: _our_epoch(build(spec, 0), data, options),
        PLAIN: plain_loop.epoch(build(spec, 0), plain_loop.loader(x, y, BATCH_SIZE, 0)),
        WORKERS: plain_loop.epoch(build(spec, 0), plain_loop.loader(x, y, BATCH_SIZE, 2)),
        DATA: lambda: sum(len(batch) for batch, _ in alone),
    }


def dataset(images: int) -> Dataset:
    """Random images with random labels."""
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (images, *SHAPE), dtype=np.uint8)
    split = Split(x, random.integers(0, CLASSES, images))
    front_end = ImageFrontEnd(height=SHAPE[0], width=SHAPE[1], channels=SHAPE[2])
    return Dataset(
        name="random images",
        train=split,
        validation=split,
        test=split,
        classes=tuple(map(str, range(CLASSES))),
        preprocessing=Preprocessing(front_end=front_end, affine=standard_affine(x, Axis.CHANNEL)),
        content_hash="",
    )


def _our_epoch(network: nn.Module, data: Dataset, options: TrainOptions) -> Callable[[], object]:
    generator = torch.Generator().manual_seed(0)
    state = start(network, BY_TARGETS, options, generator, torch.device("cpu"))
    train = source(data, data.train)

    def run() -> float:
        with deterministic(options.seed, options.threads):
            return train_epoch(state, train, options, 1, silent)

    return run


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _is_fast_enough(rows: Sequence[Row], network: str) -> bool:
    """Whether the bar is met, or the plain loop is not bound by its data."""
    found = {row.loop: row for row in rows if row.network == network}
    share = found[PLAIN].images_per_second / found[DATA].images_per_second
    return share < DATA_BOUND or found[PLAIN].times_as_fast_is_edgeflow >= BAR


def _table(rows: Sequence[Row]) -> Table:
    table = Table(title=f"training on 32 x 32 x 3 images, batches of {BATCH_SIZE}, one thread")
    table.add_column("network")
    table.add_column("loop")
    for name in ("images/s", "slowest", "fastest", "edgeflow is"):
        table.add_column(name, justify="right")
    for row in rows:
        values = (row.images_per_second, row.slowest, row.fastest)
        ratio = "" if row.loop in (OURS, DATA) else f"{row.times_as_fast_is_edgeflow:.2f}x"
        table.add_row(row.network, row.loop, *(f"{value:,.0f}" for value in values), ratio)
    return table


if __name__ == "__main__":
    sys.exit(main())
