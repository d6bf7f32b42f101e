"""Candidates as one program against one after another: `python -m benchmarks.search.pool_training`.

Candidates of equal structure learn to give what a cell gives: as the pool trains them, one after
the other, and as one program of `torch.func.vmap` (`train/stack.py`). Processor time of a step and
candidate, one thread; a ratio above 1 says that the one program is faster.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgeflow import __version__
from edgeflow.nets.cells import build_cells
from edgeflow.nets.specs import (
    AnyCell,
    Bottleneck,
    Convolution,
    DepthwiseSeparable,
    InvertedResidual,
    ShapeHWC,
)
from edgeflow.search.imitate import Pace, imitation, learn, learnt
from edgeflow.train.stack import forward, stack, state_of
from edgeflow.train.stacked_adamw import no_moments, update

BATCH, STEPS, ROUNDS = 32, 8, 3
PACE = Pace(STEPS, 1e-3, 1e-4)
SHAPES: tuple[ShapeHWC, ...] = ((16, 16, 24), (8, 8, 40), (8, 8, 64), (25, 5, 64), (4, 4, 64))


def operators(channels: int) -> dict[str, AnyCell]:
    """Candidates that keep the shape."""
    return {
        "inverted-residual 3x3, expansion 3": InvertedResidual(channels=channels, expansion=3),
        "depthwise-separable 3x3": DepthwiseSeparable(channels=channels),
        "convolution 3x3": Convolution(channels=channels),
        "bottleneck 3x3, 8 channels": Bottleneck(channels=channels, inner_channels=8),
    }


State = dict[str, Tensor]


def one_after_another(
    modules: Sequence[nn.Module], x: Tensor, y: Tensor
) -> tuple[float, list[State]]:
    """Seconds of a step and candidate as the pool trains, and what was learnt."""
    running = [imitation(copy.deepcopy(each), 8, PACE) for each in modules]
    start = time.process_time()
    for each in running:
        learn(each, iter([(x, y)] * STEPS), 1.0)
    return (time.process_time() - start) / STEPS / len(modules), [learnt(each) for each in running]


def as_one_program(modules: Sequence[nn.Module], x: Tensor, y: Tensor) -> tuple[float, list[State]]:
    """The same for one program of all candidates."""
    networks = stack(modules, torch.device("cpu"))
    moments = no_moments(networks.values.detach())
    start = time.process_time()
    for step in range(1, STEPS + 1):
        losses = (forward(networks, x, training=True) - y).square().flatten(1).mean(1)
        (gradient,) = torch.autograd.grad(losses.sum(), networks.values)
        rate = PACE.learning_rate * (1 + math.cos(math.pi * (step - 1) / STEPS)) / 2
        update(
            networks.values,
            gradient,
            moments,
            step=step,
            rates=torch.full((len(modules), 1), rate),
            first_decay=0.9,
            weight_decay=PACE.weight_decay,
        )
    seconds = (time.process_time() - start) / STEPS / len(modules)
    return seconds, [state_of(networks, index) for index in range(len(modules))]


def measured(shape: ShapeHWC, name: str, cell: AnyCell, count: int) -> dict[str, Any]:
    """The best of some rounds of each, in turn."""
    height, width, channels = shape
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(BATCH, channels, height, width, generator=generator)
    x = x.contiguous(memory_format=torch.channels_last)
    module = build_cells((cell,), shape, 0)
    with torch.no_grad():
        y = module(x)
    times = [
        (one_after_another([module] * count, x, y)[0], as_one_program([module] * count, x, y)[0])
        for _ in range(ROUNDS)
    ]
    loop, one = min(t for t, _ in times), min(t for _, t in times)
    return {
        "maps": "x".join(map(str, shape)),
        "operator": name,
        "candidates": count,
        "milliseconds_one_after_another": round(1e3 * loop, 2),
        "milliseconds_one_program": round(1e3 * one, 2),
        "ratio": round(loop / one, 2),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and tell; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, nargs="+", default=[2, 8])
    parser.add_argument("--output", type=Path, help="write the JSON document here")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = []
    for shape in SHAPES:
        for name, cell in operators(shape[2]).items():
            for count in options.candidates:
                rows.append(measured(shape, name, cell, count))
                sys.stderr.write(f"{rows[-1]}\n")
    given = sys.argv[1:] if arguments is None else list(arguments)
    document = {
        "command": shlex.join(["python", "-m", "benchmarks.search.pool_training", *given]),
        "edgeflow_version": __version__,
        "kind": "measured",
        "batch": BATCH,
        "rows": rows,
    }
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    if options.output is not None:
        options.output.write_text(text, encoding="utf-8", newline="\n")
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
