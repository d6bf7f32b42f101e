"""Figures as rows for people and as documents for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from edgeflow.cli.outcome import answer_stream

if TYPE_CHECKING:
    from edgeflow.bundle.summary import Summary

Row = tuple[str, str, str]


def summary_rows(summary: Summary) -> list[Row]:
    """Name, value and kind of what matters most about a build."""
    from edgeflow.figures import Unit, quantity

    rows: list[Row] = [(summary.target, f"{summary.model} on {summary.data}", "")]
    rows.append(("task", summary.task.value, ""))
    for score in summary.all_scores:
        name = f"{score.name}, {score.stage} ({score.split}, {score.images})"
        rows.append((name, quantity(score.value, score.unit), score.kind.value))
    for figure in summary.figures:
        rows.append((figure.name, quantity(figure.value, figure.unit), figure.kind.value))
    for part in summary.row_by_row:
        layers = f"{part.first_layer:02d} to {part.last_layer:02d}, {part.rows} at a time"
        rows.append(("layers row by row", layers, ""))
    for engine in summary.race if len(summary.race) > 1 else ():
        shown, kind = engine.outcome.value, ""
        if engine.seconds is not None:
            bound = "at least " if engine.is_bound else ""
            shown = f"{bound}{quantity(engine.seconds, Unit.SECONDS)}, {shown}"
            kind = engine.kind.value
        rows.append((f"engine {engine.name}", shown, kind))
    rows.append(("verdict", "passed" if summary.passed else "refused", ""))
    for check in summary.checks:
        if not check.passed:
            rows.append((f"  {check.name}", check.detail, ""))
    return rows


def summary_document(summary: Summary) -> dict[str, Any]:
    """What `summary_rows` shows, as JSON; every figure with unit, kind and source."""
    whole = summary.model_dump(mode="json")
    described = ("target", "model", "data", "device", "images", "figures", "checks")
    kept = (
        *described,
        "task",
        "accuracies",
        "scores",
        "arena_proven_optimal",
        "arena_peak",
        "row_by_row",
        "engine",
        "race",
    )
    return {name: whole[name] for name in kept} | {"passed": summary.passed}


def print_rows(rows: Sequence[Sequence[str]]) -> None:
    """Print rows as aligned columns on stdout: wrapped to a terminal, else one line a row."""
    with answer_stream() as stream:
        if stream.isatty():
            _print_table(rows, stream)
        else:
            _print_lines(rows, stream)


def _print_lines(rows: Sequence[Sequence[str]], stream: TextIO) -> None:
    columns = max((len(row) for row in rows), default=0)
    widths = [max(len(row[i]) for row in rows if i < len(row)) for i in range(columns)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        print("  ".join(cells).rstrip(), file=stream)


def _print_table(rows: Sequence[Sequence[str]], stream: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for index in range(max((len(row) for row in rows), default=0)):
        table.add_column(style="bold" if index == 0 else "", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(file=stream, highlight=False).print(table)
