"""RAM against instructions where layers run row by row: `python -m benchmarks.row_by_row`.

MLPerf Tiny's int8 models: each layer whole, then less and less RAM, every step for the fewest
instructions that were found. Exit code 1: an answer of a device differs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from benchmarks import mlperf_tiny
from edgeflow.backends.firmware.segment import Segment
from edgeflow.graph.ir import Graph
from edgeflow.targets import registry
from edgeflow.targets.schema import Target

_HEAD = ("model", "row by row", "arena", "stack", "together", "instructions", "added", "flash")


@dataclass(frozen=True)
class _Point:
    """One way to run a model; bytes and counts of one inference."""

    segments: tuple[Segment, ...]
    arena_bytes: int
    stack_bytes: int
    instructions: int
    flash_bytes: int
    is_exact: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.row_by_row", description=__doc__)
    parser.add_argument("--target", default="cortex-m4", metavar="NAME")
    target = registry.load(parser.parse_args(arguments).target)
    table = Table(*_HEAD, title=f"{target.name}: bytes of RAM and flash, instructions")
    exact = True
    for name, path in mlperf_tiny.find_models(mlperf_tiny.shared_folder()).items():
        points = list(_points(mlperf_tiny.read_graph(path.read_bytes()), target))
        exact = exact and all(point.is_exact for point in points)
        for point in points:
            table.add_row(name, *_cells(point, points[0]))
    Console(width=130, highlight=False).print(table)
    return 0 if exact else 1


def _points(graph: Graph, target: Target) -> Iterator[_Point]:
    from edgeflow.backends.firmware.choice import trade_offs
    from edgeflow.backends.firmware.codegen import generate
    from edgeflow.backends.firmware.toolchain import build_image
    from edgeflow.devices.device import RunLimits
    from edgeflow.devices.registry import device_for
    from edgeflow.graph.constant_channels import without_constant_channels
    from edgeflow.graph.interpreter import run_batch

    x = mlperf_tiny.random_samples(graph, 1).x
    expected = run_batch(graph, x).reshape(1, -1)
    compiled = without_constant_channels(graph)
    for segments in trade_offs(compiled, target.firmware.kernel_set):
        source = generate(compiled, target.firmware.kernel_set, segments)
        image = build_image(source, target)
        run = device_for(target).run(image, x, RunLimits())
        yield _Point(
            segments=segments,
            arena_bytes=source.arena_bytes,
            stack_bytes=image.stack_bytes if run.stack_bytes is None else run.stack_bytes,
            instructions=int(run.instructions[0]),
            flash_bytes=image.flash_bytes,
            is_exact=bool((run.outputs == expected).all()),
        )


def _cells(point: _Point, whole: _Point) -> tuple[str, ...]:
    parts = [f"{s.first:02d} to {s.last:02d}, {s.rows} at a time" for s in point.segments]
    return (
        "; ".join(parts) or "no layer",
        f"{point.arena_bytes:,}",
        f"{point.stack_bytes:,}",
        f"{point.arena_bytes + point.stack_bytes:,}",
        f"{point.instructions:,}" + ("" if point.is_exact else " (wrong)"),
        f"{point.instructions / whole.instructions - 1:+.2%}",
        f"{point.flash_bytes:,}",
    )


if __name__ == "__main__":
    sys.exit(main())
