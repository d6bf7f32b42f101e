"""The README's table of measurements, from `benchmarks/results/spine.json`.

python -m benchmarks.readme_table
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "spine.json"
README = ROOT / "README.md"
BEGIN = "<!-- benchmarks.spine -->\n"
END = "<!-- end -->\n"

HEAD = (
    "| model | core | accuracy on the device | instructions | per MAC | flash, bytes "
    "| of it weights, biases | RAM static, bytes | of it arena | stack |\n"
    "|---|---|---|---:|---:|---:|---:|---:|---:|---:|\n"
)


def table(document: dict[str, Any]) -> str:
    """Markdown, one row a measurement."""
    return HEAD + "".join(_row(measurement) for measurement in document["measurements"])


def with_table(readme: str, rendered: str) -> str:
    """The README with the table between its two marks."""
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + rendered + END + after


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
    """Rewrite the README's table."""
    rendered = table(json.loads(RESULTS.read_text("utf-8")))
    README.write_text(with_table(README.read_text("utf-8"), rendered), "utf-8")


if __name__ == "__main__":
    main()
