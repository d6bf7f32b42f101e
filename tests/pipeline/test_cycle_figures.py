"""A build for a core with a cycle model reports its range beside the counted instructions."""

from __future__ import annotations

import json
from pathlib import Path

from edgeflow.pipeline.steps.summarize import FEWEST_CYCLES, LARGEST_INSTRUCTIONS, MOST_CYCLES


def test_a_build_for_the_cortex_m4_estimates_cycles_with_a_range(digits_run: Path) -> None:
    document = json.loads((digits_run / "figures.json").read_bytes())
    figures = {figure["name"]: figure for figure in document["figures"]}
    fewest, most = figures[FEWEST_CYCLES], figures[MOST_CYCLES]
    assert fewest["kind"] == most["kind"] == "estimated"
    assert fewest["unit"] == most["unit"] == "cycles"
    assert "Arm 100166" in fewest["source"]
    assert fewest["value"] < most["value"] < 3 * figures[LARGEST_INSTRUCTIONS]["value"]
    assert fewest["value"] > 0.8 * figures[LARGEST_INSTRUCTIONS]["value"]
    page = (digits_run / "report.html").read_text("utf-8")
    assert FEWEST_CYCLES in page
    assert "estimated" in page
