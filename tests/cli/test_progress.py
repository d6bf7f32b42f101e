"""The live display keeps stage names and messages whole on narrow terminals."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from edgeflow.cli.progress import _display, _Live
from edgeflow.progress import ProgressEvent

STAGES = ("data", "train", "quantize", "generate", "compile", "run", "gate", "report", "bundle")


@pytest.mark.parametrize("columns", [50, 80, 140])
def test_every_stage_has_one_line_with_its_whole_name(columns: int) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=columns, color_system=None)
    display = _display(console)
    live = _Live(display)
    values = {"train_loss": 0.5186, "validation_loss": 0.1734, "validation_accuracy": 0.9888}
    for stage in STAGES:
        live(ProgressEvent(stage, "started"))
        live(ProgressEvent(stage, "fine-tuning, epoch 24", 24, 40, values))
    console.print(display.get_renderable())
    lines = [line for line in stream.getvalue().splitlines() if line.strip()]
    assert [line.split()[1] for line in lines] == list(STAGES)
    assert all(len(line) <= columns for line in lines)
    assert all("24/40" in line and "fine-tuning" in line for line in lines)
