"""Progress on stderr: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edgeflow.progress import Progress, ProgressEvent

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Display

NARROW_COLUMNS = 100
# Epochs may take minutes; the time left is told from all of them.
_SPEED_PERIOD_SECONDS = 24 * 3600.0
# Engine's words for the end of a stage; a room's own events never use them.
_ENDINGS = ("done", "cached")
_SHORT_NAMES: Mapping[str, str] = {
    "learning_rate": "rate",
    "train_loss": "loss",
    "validation_accuracy": "accuracy",
    "validation_r2": "R2",
    "validation_loss": "val. loss",
}


@contextmanager
def drawn_progress() -> Iterator[Progress]:
    """A progress that draws what suits stderr."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield print_line
        return
    with _display(console) as display:
        yield _Live(display)


def print_line(event: ProgressEvent) -> None:
    """One line for an event."""
    count = f" {event.done}/{event.total}" if event.total > 1 else ""
    values = describe_values(event.values)
    print(f"[{event.stage}]{count} {event.message}{values}", file=sys.stderr, flush=True)


def describe_values(values: Mapping[str, float]) -> str:
    """Values in a few characters each, such as `  loss 0.123  accuracy 98.10 %`."""
    texts = []
    for name, value in values.items():
        short = _SHORT_NAMES.get(name, name.replace("_", " "))
        if "accuracy" in name:
            texts.append(f"{short} {value:.2%}")
        elif name == "seconds":
            texts.append(f"{value:.1f} s")
        else:
            texts.append(f"{short} {value:.4g}")
    return "".join(f"  {text}" for text in texts)


def describe_times(taken_seconds: float | None, left_seconds: float | None) -> str:
    """Time taken and left, such as `0:12, 0:40 left`; what is not known stays out."""
    taken = _clock(taken_seconds or 0.0)
    return taken if not left_seconds else f"{taken}, {_clock(left_seconds)} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _display(console: Console) -> Display:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        ProgressColumn,
        SpinnerColumn,
        TextColumn,
    )
    from rich.progress import Progress as Display
    from rich.progress import Task as Line
    from rich.table import Column
    from rich.text import Text

    class Times(ProgressColumn):
        """Time taken, and where it can be told the time left."""

        max_refresh = 0.5

        def render(self, task: Line) -> Text:
            return Text(describe_times(task.elapsed, task.time_remaining), style="cyan")

    whole, rest = Column(no_wrap=True, min_width=9), Column(no_wrap=True, ratio=1)
    # On a narrow terminal the words are worth more than the bar.
    bar: tuple[ProgressColumn, ...] = (BarColumn(bar_width=20), MofNCompleteColumn())
    return Display(
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description:<9}", table_column=whole),
        *(bar if console.width >= NARROW_COLUMNS else bar[1:]),
        Times(),
        TextColumn("{task.fields[message]}", markup=False, table_column=rest),
        console=console,
        expand=True,
        speed_estimate_period=_SPEED_PERIOD_SECONDS,
    )


class _Live:
    """One line of the display for each stage that has begun."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._tasks: dict[str, object] = {}

    def __call__(self, event: ProgressEvent) -> None:
        ending = event.message in _ENDINGS
        if event.stage not in self._tasks:
            if not event.total and event.message != "started":
                self._display.console.print(f"[{event.stage}] {event.message}", markup=False)
                return
            self._tasks[event.stage] = self._display.add_task(event.stage, total=None, message="")
        task = self._tasks[event.stage]
        message = f"{event.message}{describe_values(event.values)}"
        if ending:
            self._display.update(task, total=1, completed=1, message=message)  # type: ignore[arg-type]
        else:
            self._display.update(
                task,  # type: ignore[arg-type]
                total=event.total or None,
                completed=event.done,
                message=message,
            )
