"""One table of what edgeflow's firmware costs: `python -m benchmarks.spine`.

The digits build, and every int8 model of MLPerf Tiny that is found, on emulated microcontrollers.
Exit code 1: an answer of a device differs, or a model could not be measured.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import digits, litert, mlperf_tiny
from benchmarks.measurement import Measurement, Samples, measure
from benchmarks.table import as_document, layer_table, overview
from edgeflow import __version__
from edgeflow.errors import DataError, EdgeflowError
from edgeflow.graph.ir import Graph
from edgeflow.progress import ProgressEvent
from edgeflow.targets import registry
from edgeflow.targets.schema import Target

TARGETS = ("cortex-m4", "cortex-m0plus")
_TABLE_WIDTH = 190


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; gives the exit code."""
    options = _parser().parse_args(arguments)
    messages = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        targets = [registry.load(name) for name in options.target or TARGETS]
        measurements, problems = _measure_all(targets, options, messages)
    except EdgeflowError as error:
        messages.print(f"{error.message}\n{error.hint}", style="red", markup=False)
        return int(error.exit_code)
    remarks = (*_remarks(mlperf_tiny.shared_folder()), *problems)
    document = as_document(_command(arguments), __version__, measurements, remarks)
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text, encoding="utf-8", newline="\n")
    if options.json:
        sys.stdout.write(text)
    else:
        _print_tables(measurements, remarks, options.layers)
    return 1 if problems or not all(m.bit_exact for m in measurements) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.spine", description=__doc__)
    parser.add_argument(
        "--target", action="append", metavar="NAME", help=f"default: {', '.join(TARGETS)}"
    )
    parser.add_argument(
        "--run-dir", type=Path, default=Path("runs/benchmark-digits"), help="of the digits build"
    )
    parser.add_argument("--config", type=Path, help="edgeflow.toml of the digits build")
    parser.add_argument(
        "--images", type=_count, default=10, help="random inputs for a model without labelled data"
    )
    parser.add_argument(
        "--labelled-images", type=_count, default=100, help="test images for a model with them"
    )
    parser.add_argument("--layers", action="store_true", help="also a table for every layer")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--output", type=Path, help="write the JSON document to a file")
    return parser


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value


def _measure_all(
    targets: Sequence[Target], options: argparse.Namespace, messages: Console
) -> tuple[list[Measurement], list[str]]:
    """The measurements, and what could not be measured with the reason."""
    measurements: list[Measurement] = []
    problems: list[str] = []

    def tell(event: ProgressEvent) -> None:
        messages.print(f"  {event.stage}: {event.message}", style="dim", markup=False)

    for target in targets:
        messages.print(f"digits on {target.name}")
        measurements.append(digits.measure(target.name, options.config, options.run_dir, tell))
    for name, path in mlperf_tiny.find_models(mlperf_tiny.shared_folder()).items():
        content = path.read_bytes()
        try:
            graph = mlperf_tiny.read_graph(content)
            samples, notes = _samples(name, graph, options)
            references = mlperf_tiny.references(content, samples.x)
        except EdgeflowError as error:
            problems.append(f"{name}: {error.message}")
            continue
        notes = (*notes, f"model file sha256 {mlperf_tiny.sha256(content)}")
        for target in targets:
            messages.print(f"{name} on {target.name}, {samples.what}")
            try:
                measurements.append(measure(name, graph, target, samples, references, notes))
            except EdgeflowError as error:
                problems.append(f"{name} on {target.name}: {error.message}")
    return measurements, problems


def _samples(
    name: str, graph: Graph, options: argparse.Namespace
) -> tuple[Samples, tuple[str, ...]]:
    """Labelled images where there are some, else random inputs; with a note where data failed."""
    note: tuple[str, ...] = ()
    if name == mlperf_tiny.IMAGE_CLASSIFICATION.name:
        source = mlperf_tiny.find_cifar10(mlperf_tiny.shared_folder())
        if source is not None:
            try:
                return mlperf_tiny.cifar10_samples(graph, source, options.labelled_images), ()
            except DataError as error:
                note = (f"CIFAR-10 was found and cannot be used: {error.message}",)
    return mlperf_tiny.random_samples(graph, options.images), note


def _remarks(folder: Path) -> Iterator[str]:
    """What the table lacks, and how to provide it."""
    found = mlperf_tiny.find_models(folder)
    absent = [model.name for model in mlperf_tiny.MODELS if model.name not in found]
    if absent:
        yield f"absent models: {', '.join(absent)}; {mlperf_tiny.HOW_TO_PROVIDE}"
    if not litert.is_installed():
        yield "LiteRT is not installed: no comparison with its kernels (pip install ai-edge-litert)"


def _command(arguments: Sequence[str] | None) -> str:
    given = sys.argv[1:] if arguments is None else arguments
    return shlex.join(["python", "-m", "benchmarks.spine", *given])


def _print_tables(
    measurements: Sequence[Measurement], remarks: Sequence[str], layers: bool
) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_TABLE_WIDTH)
    console.print(overview(measurements))
    for m in measurements if layers else ():
        console.print(layer_table(m))
    notes = dict.fromkeys(f"{m.model}: {note}" for m in measurements for note in m.notes)
    for remark in (*notes, *remarks):
        console.print(remark, markup=False)


if __name__ == "__main__":
    sys.exit(main())
