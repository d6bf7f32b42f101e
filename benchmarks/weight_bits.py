"""Digits with int8, int4 and int2 weights, trained and run: `python -m benchmarks.weight_bits`.

Prints a Markdown table; --readme puts it into the README. Exit code 1: the gate refused a build.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import digits
from benchmarks.measurement import Measurement
from benchmarks.readme_table import README
from edgeflow.errors import EdgeflowError
from edgeflow.progress import Progress, ProgressEvent

TARGETS = ("cortex-m4", "cortex-m0plus")
WIDTHS: Mapping[str, str] = {
    "int8": "weight_bits = 8",
    "int4, first and last layer int8": "weight_bits = 4\nfirst_and_last_weight_bits = 8",
    "int4": "weight_bits = 4",
    "int2": "weight_bits = 2",
    "int2, 60 epochs at 0.003": "weight_bits = 2\nepochs = 60\nlearning_rate = 0.003",
}
BEGIN = "<!-- benchmarks.weight_bits -->\n"
END = "<!-- end weight_bits -->\n"
_HEAD = (
    "| core | weights | accuracy on the device | instructions | flash, bytes "
    "| of it weights, biases |\n|---|---|---|---:|---:|---:|\n"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Build and run; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.weight_bits", description=__doc__)
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    options = parser.parse_args(arguments)
    messages = Console(stderr=True, highlight=False, soft_wrap=True)

    def show(event: ProgressEvent) -> None:
        if not event.done:
            messages.print(f"{event.stage}: {event.message}", style="dim", markup=False)

    try:
        with tempfile.TemporaryDirectory(prefix="edgeflow-") as folder:
            rows = [
                _row(target, name, _measure(target, section, Path(folder), show))
                for target in TARGETS
                for name, section in WIDTHS.items()
            ]
    except EdgeflowError as error:
        messages.print(f"{error.message}\n{error.hint}", style="red", markup=False)
        return int(error.exit_code)
    rendered = _HEAD + "".join(rows)
    if options.readme:
        before, rest = README.read_text("utf-8").split(BEGIN)
        README.write_text(before + BEGIN + rendered + END + rest.split(END)[1], "utf-8")
    sys.stdout.write(rendered)
    return 0


def _measure(target: str, section: str, folder: Path, show: Progress) -> Measurement:
    config = folder / "edgeflow.toml"
    config.write_text(f"[quantize]\n{section}\n", encoding="utf-8")
    return digits.measure(target, config, folder / "run", show)


def _row(target: str, name: str, measured: Measurement) -> str:
    accuracy = measured.accuracy
    assert accuracy.value is not None, "digits have labels"
    return (
        f"| {target} | {name} | {accuracy.value:.2%} of {accuracy.images} "
        f"| {measured.instructions:,.0f} | {measured.flash_bytes:,} "
        f"| {measured.weight_bytes:,} |\n"
    )


if __name__ == "__main__":
    sys.exit(main())
