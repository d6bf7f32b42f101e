"""How fast the integer program is proven: `python -m benchmarks.search.program`.

Scores and costs are drawn uniformly; each limit allows 60 % of the mean choice's costs. One thread.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgeflow import __version__
from edgeflow.search.problem import Cell, Limit, Problem
from edgeflow.search.program import solve, solve_diverse

DIVERSE = 10


def problem(seed: int, cells: int, choices: int, limits: int) -> Problem:
    """A problem of that size."""
    generator = np.random.default_rng(seed)
    costs = generator.random((limits, cells, choices))
    return Problem(
        cells=tuple(
            Cell(f"{index:03}", tuple(map(str, range(choices))), generator.random(choices))
            for index in range(cells)
        ),
        limits=tuple(
            Limit(f"limit {index}", "", 0.6 * float(own.mean(axis=1).sum()), dict(enumerate(own)))
            for index, own in enumerate(costs)
        ),
    )


def measured(seed: int, cells: int, choices: int, limits: int) -> dict[str, Any]:
    """Seconds to the first proven optimum, and to ten solutions that differ."""
    posed = problem(seed, cells, choices, limits)
    start = time.perf_counter()
    first = solve(posed)
    middle = time.perf_counter()
    diverse = solve_diverse(posed, DIVERSE)
    end = time.perf_counter()
    return {
        "seed": seed,
        "first_seconds": round(middle - start, 3),
        "first_status": first.status.value,
        "first_gap": first.gap,
        "diverse_seconds": round(end - middle, 3),
        "diverse_found": len(diverse),
        "diverse_largest_gap": round(max(solution.gap for solution in diverse), 6),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Solve and tell; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=100)
    parser.add_argument("--choices", type=int, default=200)
    parser.add_argument("--limits", type=int, default=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--output", type=Path, help="write the JSON document here")
    options = parser.parse_args(arguments)
    rows = []
    for seed in options.seeds:
        row = measured(seed, options.cells, options.choices, options.limits)
        sys.stderr.write(f"{row}\n")
        rows.append(row)
    given = sys.argv[1:] if arguments is None else list(arguments)
    document = {
        "command": shlex.join(["python", "-m", "benchmarks.search.program", *given]),
        "edgeflow_version": __version__,
        "kind": "measured",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one thread",
        "size": {name: getattr(options, name) for name in ("cells", "choices", "limits")},
        "problems": rows,
        "first_seconds_at_most": max(row["first_seconds"] for row in rows),
        "diverse_seconds_at_most": max(row["diverse_seconds"] for row in rows),
    }
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    if options.output is not None:
        options.output.write_text(text, encoding="utf-8", newline="\n")
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
