"""What each training method gives here: `python -m benchmarks.train`.

Every comparison trains with equal compute and several seeds; the table says what the paper claims,
what we measured and whether it holds at this scale.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.train.document import as_document, merged
from benchmarks.train.frame import Comparison, Effort, Say
from benchmarks.train.table import comparison_table
from edgeflow import __version__
from edgeflow.errors import EdgeflowError

_TABLE_WIDTH = 170


def _topics() -> Mapping[str, Callable[[Effort, Say], Iterator[Comparison]]]:
    from benchmarks.train import deepening, distill, growth, narrow

    return {
        "growth": growth.compare,
        "deepen": deepening.compare,
        "narrow": narrow.compare,
        "distill": distill.compare,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparisons; gives the exit code."""
    topics = _topics()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train", description=__doc__)
    parser.add_argument("--only", action="append", choices=sorted(topics), help="default: all")
    parser.add_argument("--effort", type=Effort, choices=list(Effort), default=Effort.FULL)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument(
        "--output", type=Path, help="write the JSON document here; topics not run stay as they are"
    )
    options = parser.parse_args(arguments)
    messages = Console(stderr=True, highlight=False, soft_wrap=True)
    found: dict[str, list[Comparison]] = {}

    def say(text: str) -> None:
        messages.print(f"  {text}", style="dim", markup=False)

    try:
        for name in options.only or topics:
            messages.print(name)
            found[name] = []
            for comparison in topics[name](
                options.effort, lambda text: messages.print(f"  {text}")
            ):
                found[name].append(comparison)
    except EdgeflowError as error:
        messages.print(f"{error.message}\n{error.hint}", style="red", markup=False)
        return int(error.exit_code)
    given = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "-m", "benchmarks.train", *given])
    document = as_document(command, __version__, options.effort, found)
    if options.output is not None:
        text = json.dumps(merged(options.output, document), indent=1, sort_keys=True) + "\n"
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text, encoding="utf-8", newline="\n")
    if options.json:
        sys.stdout.write(json.dumps(document, indent=1, sort_keys=True) + "\n")
    else:
        console = Console(highlight=False)
        wide = console if console.is_terminal else Console(highlight=False, width=_TABLE_WIDTH)
        for comparisons in found.values():
            wide.print(comparison_table(comparisons))
    return 0


if __name__ == "__main__":
    sys.exit(main())
