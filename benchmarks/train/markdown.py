"""Comparisons as Markdown, from the document of `python -m benchmarks.train --output`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

TOPICS = ("growth", "deepen", "narrow", "distill")
HEAD = (
    "| claim | data | what | methods: mean ± deviation (parameters) | holds here |\n"
    "|---|---|---|---|---|\n"
)


def comparisons(document: Mapping[str, Any]) -> str:
    """One row a comparison, the claimed method first; under it the command of each topic."""
    found = [document[topic] for topic in TOPICS if topic in document]
    rows = "".join(_row(c) for topic in found for c in topic["comparisons"])
    commands = dict.fromkeys(f"`{topic['command']}`" for topic in found)
    return f"{HEAD}{rows}\nMade by {', '.join(commands)}.\n"


def _row(comparison: Mapping[str, Any]) -> str:
    cells = [
        f"{comparison['claim']} ({comparison['paper']})",
        comparison["data"],
        comparison["what"],
        "<br>".join(_methods(comparison["measured"])),
        f"{comparison['holds']} ({comparison['gain']:+.3g})",
    ]
    return "| " + " | ".join(cells) + " |\n"


def _methods(measured: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"{m['method']}: {m['mean']:.4g} ± {m['deviation']:.2g} ({m['parameters']:,})"
        for m in measured
    ]
