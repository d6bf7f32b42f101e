"""edgeflow's firmware against TensorFlow Lite Micro with CMSIS-NN: `python -m benchmarks.mcu`.

Every int8 model of MLPerf Tiny that is found, on emulated microcontrollers; the yardstick where its
checkouts are named. Exit code 1: an answer of ours differs, a bar is missed, or something could
not be measured.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks import mlperf_tiny, yardstick
from benchmarks.bars import Row, ratios
from benchmarks.mcu_table import as_document, layer_table, overview
from benchmarks.measurement import measure
from edgeflow import __version__
from edgeflow.backends.engine import EngineOptions
from edgeflow.errors import EdgeflowError, MissingToolError, ToolFailedError
from edgeflow.graph.ir import Graph
from edgeflow.targets import registry
from edgeflow.targets.schema import Target

TARGETS = ("cortex-m4", "cortex-m55", "cortex-m0plus", "riscv32")
_TABLE_WIDTH = 160


@dataclass(frozen=True, eq=False)
class _Model:
    name: str
    content: bytes
    graph: Graph


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; gives the exit code."""
    options = _parser().parse_args(arguments)
    messages = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        targets = [registry.load(name) for name in options.target or TARGETS]
        engine = yardstick.engine_options(options)
        rows, problems, skipped = _measure_all(targets, options, engine, messages)
    except EdgeflowError as error:
        messages.print(f"{error.message}\n{error.hint}", style="red", markup=False)
        return int(error.exit_code)
    remarks = (*_remarks(options, engine), *skipped, *problems)
    document = as_document(_command(arguments), __version__, rows, remarks)
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text, encoding="utf-8", newline="\n")
    if options.json:
        sys.stdout.write(text)
    else:
        _print_tables(rows, remarks, options.layers)
    exact = all(row.ours.bit_exact for row in rows)
    missed = any(ratio.passed is False for row in rows for ratio in row.ratios)
    return 1 if problems or missed or not exact else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mcu", description=__doc__)
    parser.add_argument(
        "--target", action="append", metavar="NAME", help=f"default: {', '.join(TARGETS)}"
    )
    names = [model.name for model in mlperf_tiny.MODELS]
    parser.add_argument("--model", action="append", choices=names, help="default: all of them")
    parser.add_argument("--images", type=int, default=3, help="random inputs for each model")
    parser.add_argument("--layers", action="store_true", help="also a table for every layer")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--output", type=Path, help="write the JSON document to a file")
    yardstick.add_options(parser)
    return parser


def _measure_all(
    targets: Sequence[Target],
    options: argparse.Namespace,
    engine: EngineOptions | None,
    messages: Console,
) -> tuple[list[Row], list[str], list[str]]:
    """The rows; what could not be measured; and which targets lack a tool here."""
    rows: list[Row] = []
    problems: list[str] = []
    skipped: dict[str, str] = {}
    for name, path in _models(options).items():
        try:
            content = path.read_bytes()
            model = _Model(name, content, mlperf_tiny.read_graph(content))
        except EdgeflowError as error:
            problems.append(f"{name}: {error.message}")
            continue
        for target in targets:
            if target.name in skipped:
                continue
            messages.print(f"{name} on {target.name}")
            try:
                rows.append(_measure(model, target, options.images, engine))
            except ToolFailedError as error:
                problems.append(f"{name} on {target.name}: {error.message}")
            except MissingToolError as error:
                skipped[target.name] = f"{target.name} is left out: {error.message} {error.hint}"
            except EdgeflowError as error:
                problems.append(f"{name} on {target.name}: {error.message}")
    return rows, problems, list(skipped.values())


def _models(options: argparse.Namespace) -> dict[str, Path]:
    found = mlperf_tiny.find_models(mlperf_tiny.shared_folder())
    return {name: path for name, path in found.items() if name in (options.model or found)}


def _measure(model: _Model, target: Target, images: int, engine: EngineOptions | None) -> Row:
    samples = mlperf_tiny.random_samples(model.graph, images)
    references = mlperf_tiny.references(model.content, samples.x)
    notes = (f"model file sha256 {mlperf_tiny.sha256(model.content)}",)
    ours = measure(model.name, model.graph, target, samples, references, notes)
    if engine is None or not yardstick.applies_to(target):
        return Row(target.core.name, ours, None, ())
    theirs = yardstick.measure_yardstick(
        model.name, model.content, model.graph, target, samples, references, engine
    )
    return Row(target.core.name, ours, theirs, ratios(ours, theirs, target))


def _remarks(options: argparse.Namespace, engine: EngineOptions | None) -> Iterator[str]:
    """What the table lacks, and how to provide it."""
    found = mlperf_tiny.find_models(mlperf_tiny.shared_folder())
    wanted = options.model or [model.name for model in mlperf_tiny.MODELS]
    absent = [name for name in wanted if name not in found]
    if absent:
        yield f"absent models: {', '.join(absent)}; {mlperf_tiny.HOW_TO_PROVIDE}"
    if engine is None:
        yield yardstick.HOW_TO_PROVIDE


def _command(arguments: Sequence[str] | None) -> str:
    given = yardstick.portable_arguments(list(sys.argv[1:] if arguments is None else arguments))
    return shlex.join(["python", "-m", "benchmarks.mcu", *given])


def _print_tables(rows: Sequence[Row], remarks: Sequence[str], layers: bool) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_TABLE_WIDTH)
    console.print(overview(rows))
    for row in rows if layers else ():
        console.print(layer_table(row))
    for remark in remarks:
        console.print(remark, markup=False)


if __name__ == "__main__":
    sys.exit(main())
