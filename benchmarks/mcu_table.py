"""Ours against the yardstick as tables, as Markdown and as one JSON document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from benchmarks.bars import Ratio, Row, flash_beyond_bytes
from benchmarks.measurement import Layer, Measurement
from edgeflow.figures import Figure, FigureKind, Unit

OURS = "edgeflow"
YARDSTICK = "TFLM, CMSIS-NN"
_COLUMNS = ("instructions", "per MAC", "arena", "stack", "flash beyond\nweights")
MARKDOWN_HEAD = (
    "| model | core | engine | instructions | per MAC | arena, bytes | stack, bytes "
    "| flash beyond weights, bytes |\n"
    "|---|---|---|---:|---:|---:|---:|---:|\n"
)


def overview(rows: Sequence[Row]) -> Table:
    """For each model and core: ours, the yardstick, and the ratios with their bars."""
    table = Table(title="edgeflow and TensorFlow Lite Micro with CMSIS-NN, one inference")
    for heading in ("model", "core", "engine"):
        table.add_column(heading, no_wrap=True)
    for heading in _COLUMNS:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(row.ours.model, row.core, OURS, *_cells(row.ours))
        if row.yardstick is not None:
            table.add_row("", "", YARDSTICK, *_cells(row.yardstick))
            instructions, ram, flash = (_with_bar(ratio) for ratio in row.ratios)
            table.add_row("", "", "ratio", instructions, "", ram, "", flash)
        table.add_section()
    return table


def layer_table(row: Row) -> Table:
    """One row for each layer; the yardstick's beside ours where it was counted."""
    table = Table(title=f"{row.ours.model} on {row.core}: layers, instructions {row.ours.kind}")
    for heading in ("layer", "signature"):
        table.add_column(heading, overflow="fold")
    for heading in ("MACs", OURS, "per MAC", YARDSTICK, "per MAC", "ratio"):
        table.add_column(heading, justify="right")
    ours = {layer.name: layer for layer in row.ours.layers}
    theirs = {layer.name: layer for layer in row.yardstick.layers} if row.yardstick else {}
    for name in dict.fromkeys((*theirs, *ours)):
        own, other = ours.get(name), theirs.get(name)
        layer = own or other
        assert layer is not None
        ratio = f"{own.instructions / other.instructions:.2f}" if own and other else ""
        shown = (layer.signature, f"{layer.macs:,}", *_layer_cells(own), *_layer_cells(other))
        table.add_row(name, *shown, ratio)
    return table


def markdown(document: Mapping[str, Any]) -> str:
    """The table of a document that `as_document` made."""
    return MARKDOWN_HEAD + "".join(
        line for row in document["rows"] for line in _markdown_lines(row)
    )


def as_document(
    command: str, version: str, rows: Sequence[Row], remarks: Sequence[str]
) -> dict[str, Any]:
    """Everything as JSON: every figure with unit, kind and source."""
    return {
        "schema_version": 1,
        "command": command,
        "edgeflow_version": version,
        "remarks": list(remarks),
        "rows": [
            {
                "model": row.ours.model,
                "target": row.ours.target,
                "core": row.core,
                "inputs": row.ours.inputs,
                "edgeflow": _engine_document(row.ours),
                "tflm": None if row.yardstick is None else _engine_document(row.yardstick),
                "ratios": [
                    {**asdict(ratio), "ratio": round(ratio.value, 4), "passed": ratio.passed}
                    for ratio in row.ratios
                ],
            }
            for row in rows
        ],
    }


def _engine_document(m: Measurement) -> dict[str, Any]:
    return {
        "comparisons": [asdict(comparison) for comparison in m.comparisons],
        "notes": list(m.notes),
        "figures": [asdict(figure) for figure in _figures(m)],
        "layers": [asdict(layer) for layer in m.layers],
        "layer_kind": m.kind.value,
    }


def _figures(m: Measurement) -> Iterable[Figure]:
    linked = "the linked image"
    yield Figure("instructions", m.instructions, Unit.INSTRUCTIONS, m.kind, m.device)
    yield Figure("per MAC", m.instructions / m.macs, Unit.COUNT, m.kind, m.device)
    yield Figure("arena", m.arena_bytes, Unit.BYTES, FigureKind.MEASURED, linked)
    yield Figure("stack", m.stack_bytes, Unit.BYTES, m.kind, m.device)
    beyond = flash_beyond_bytes(m)
    yield Figure("flash beyond weights", beyond, Unit.BYTES, FigureKind.MEASURED, linked)


def _cells(m: Measurement) -> list[str]:
    return [
        f"{m.instructions:,.0f}",
        f"{m.instructions / m.macs:.3f}",
        f"{m.arena_bytes:,}",
        f"{m.stack_bytes:,}",
        f"{flash_beyond_bytes(m):,}",
    ]


def _layer_cells(layer: Layer | None) -> tuple[str, str]:
    if layer is None:
        return "", ""
    per_mac = f"{layer.instructions / layer.macs:.2f}" if layer.macs else ""
    return f"{layer.instructions:,.0f}", per_mac


def _with_bar(ratio: Ratio) -> str:
    if ratio.bar is None:
        return f"{ratio.value:.3f}"
    said = "passed" if ratio.passed else "MISSED"
    return f"{ratio.value:.3f} of {ratio.bar:.2f}: {said}"


def _markdown_lines(row: Mapping[str, Any]) -> Iterable[str]:
    yield _markdown_line(row["model"], row["core"], OURS, *_markdown_cells(row["edgeflow"]))
    if row["tflm"] is None:
        return
    yield _markdown_line("", "", YARDSTICK, *_markdown_cells(row["tflm"]))
    shown = [_markdown_ratio(ratio) for ratio in row["ratios"]]
    yield _markdown_line("", "", "ratio", shown[0], "", f"{shown[1]} with stack", "", shown[2])


def _markdown_cells(engine: Mapping[str, Any]) -> list[str]:
    values = {figure["name"]: figure["value"] for figure in engine["figures"]}
    return [
        f"{values['instructions']:,.0f}",
        f"{values['per MAC']:.3f}",
        f"{values['arena']:,}",
        f"{values['stack']:,}",
        f"{values['flash beyond weights']:,}",
    ]


def _markdown_ratio(ratio: Mapping[str, Any]) -> str:
    if ratio["bar"] is None:
        return f"{ratio['ratio']:.3f}"
    missed = "" if ratio["passed"] else ", missed"
    return f"**{ratio['ratio']:.3f}** of {ratio['bar']:.2f}{missed}"


def _markdown_line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |\n"
