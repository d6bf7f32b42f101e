"""The live display keeps stage names and messages whole on narrow terminals."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from edgeflow.cli.progress import _display, _Live, describe_times
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


@pytest.mark.parametrize(
    ("taken", "left", "told"),
    [
        (None, None, "0:00"),
        (12.2, None, "0:12"),
        (59.7, 0.0, "1:00"),
        (12.2, 95.0, "0:12, 1:35 left"),
        (3600.0, 7322.0, "1:00:00, 2:02:02 left"),
    ],
)
def test_times_are_told_as_far_as_they_are_known(
    taken: float | None, left: float | None, told: str
) -> None:
    assert describe_times(taken, left) == told


def test_the_time_left_is_shown_once_epochs_have_passed_however_long_they_take() -> None:
    seconds = iter(range(0, 100_000, 40))
    console = Console(file=io.StringIO(), force_terminal=True, width=140, color_system=None)
    display = _display(console)
    display.get_time = lambda: float(next(seconds))
    live = _Live(display)
    live(ProgressEvent("train", "started"))
    for epoch in range(1, 5):
        live(ProgressEvent("train", f"epoch {epoch}", epoch, 40))
    console.print(display.get_renderable())
    assert " left" in console.file.getvalue()
