"""Comparisons as one JSON document, by topic."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.train.frame import Comparison, Effort


def as_document(
    command: str, version: str, effort: Effort, found: Mapping[str, Sequence[Comparison]]
) -> dict[str, Any]:
    """Every topic with the command and the effort that made it."""
    made = {"command": command, "edgeflow": version, "effort": effort.value}
    made["machine"] = f"{platform.machine()}, one thread"
    return {
        topic: {**made, "comparisons": [_comparison(c) for c in comparisons]}
        for topic, comparisons in found.items()
    }


def merged(path: Path, document: Mapping[str, Any]) -> dict[str, Any]:
    """The document in a file with the topics of `document` replaced."""
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {**before, **document}


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "claim": comparison.claim,
        "paper": comparison.paper,
        "data": comparison.data,
        "what": comparison.what,
        "better": comparison.better.value,
        "note": comparison.note,
        "gain": comparison.gain,
        "holds": comparison.holds,
        "measured": [
            {
                "method": m.method,
                "values": list(m.values),
                "mean": m.mean,
                "deviation": m.deviation,
                "parameters": m.parameters,
                "training_macs": m.training_macs,
            }
            for m in comparison.measured
        ],
    }
