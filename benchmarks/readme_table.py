"""The tables of measurements in README and docs, from the documents in `benchmarks/results`.

python -m benchmarks.readme_table
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.fpga import table as designs
from benchmarks.gpu.table import table as kernels
from benchmarks.linux.table import table as engines
from benchmarks.mcu_table import markdown
from benchmarks.search.markdown import tables as searched
from benchmarks.train.markdown import comparisons

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "spine.json"
README = ROOT / "README.md"
TRAINING = ROOT / "docs" / "training.md"
FPGA = ROOT / "docs" / "fpga.md"
ENGINES = ROOT / "docs" / "engines-on-linux.md"
END = "<!-- end -->\n"

HEAD = (
    "| model | core | accuracy on the device | instructions | per MAC | flash, bytes "
    "| of it weights, biases | RAM static, bytes | of it arena | stack |\n"
    "|---|---|---|---:|---:|---:|---:|---:|---:|---:|\n"
)


def table(document: dict[str, Any]) -> str:
    """Markdown, one row a measurement."""
    return HEAD + "".join(_row(measurement) for measurement in document["measurements"])


@dataclass(frozen=True)
class PageTable:
    """A table of a page: its results, the mark before it, and how it is written."""

    page: Path
    results: Path
    begin: str
    render: Callable[[dict[str, Any]], str]


TABLES = (
    PageTable(README, RESULTS, "<!-- benchmarks.spine -->\n", table),
    PageTable(README, RESULTS.with_name("mcu.json"), "<!-- benchmarks.mcu -->\n", markdown),
    PageTable(README, RESULTS.with_name("linux.json"), "<!-- benchmarks.linux -->\n", engines),
    PageTable(README, RESULTS.with_name("fpga.json"), "<!-- benchmarks.fpga -->\n", designs),
    PageTable(FPGA, RESULTS.with_name("fpga.json"), "<!-- benchmarks.fpga -->\n", designs),
    PageTable(ENGINES, RESULTS.with_name("gpu.json"), "<!-- benchmarks.gpu -->\n", kernels),
    PageTable(README, RESULTS.with_name("search.json"), "<!-- benchmarks.search -->\n", searched),
    PageTable(
        TRAINING, RESULTS.with_name("train.json"), "<!-- benchmarks.train -->\n", comparisons
    ),
)


def with_tables(page: Path, text: str) -> str:
    """The page's text with every table between its marks, from the results as they are."""
    for part in TABLES:
        if part.page == page:
            rendered = part.render(json.loads(part.results.read_text("utf-8")))
            before, rest = text.split(part.begin)
            _, after = rest.split(END, 1)
            text = before + part.begin + rendered + END + after
    return text


def _row(measurement: dict[str, Any]) -> str:
    figures = {row["name"]: row["value"] for row in measurement["figures"]}
    accuracy = measurement["accuracy"]
    known = accuracy["value"] is not None
    weights = figures["flash"] - figures["flash beyond weights and biases"]
    cells = [
        measurement["model"],
        measurement["target"],
        f"{accuracy['value']:.2%} of {accuracy['images']}" if known else accuracy["note"],
        f"{figures['instructions per inference']:,.0f}",
        f"{figures['instructions per MAC']:.2f}",
        f"{figures['flash']:,}",
        f"{weights:,}",
        f"{figures['static RAM']:,}",
        f"{figures['arena']:,}",
        f"{figures['stack, high-water mark']:,}",
    ]
    return "| " + " | ".join(cells) + " |\n"


def main() -> None:
    """Rewrite every table."""
    for page in dict.fromkeys(part.page for part in TABLES):
        page.write_text(with_tables(page, page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
