"""Measurements as tables and as one JSON document."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from benchmarks.measurement import ACCURACY, PER_MAC, Comparison, Measurement, figures

_HEADINGS = (
    "accuracy\n(on the device)",
    "bit-exact with",
    "instructions\nper inference",
    "per\nMAC",
    "MACs",
    "flash",
    "flash beyond\nweights, biases",
    "arena",
    "static\nRAM",
    "stack\nhigh-water",
)


def overview(measurements: Sequence[Measurement]) -> Table:
    """One row for each model and target; the second line of a cell says the figure's kind."""
    table = Table(title="edgeflow: digits and MLPerf Tiny; bytes unless said otherwise")
    table.add_column("model\ntarget", no_wrap=True)
    for heading in _HEADINGS:
        table.add_column(heading, justify="right")
    for m in measurements:
        table.add_row(
            f"{m.model}\n{m.target}",
            _accuracy(m),
            "\n".join(_compared(c) for c in m.comparisons) or "nothing compared",
            *_figure_cells(m),
            end_section=True,
        )
    return table


def _accuracy(m: Measurement) -> str:
    if m.accuracy.value is None:
        return f"{m.accuracy.note}\n{m.inputs}"
    return f"{m.accuracy.value:.2%} of {m.accuracy.images:,}\n{m.kind}"


def _compared(comparison: Comparison) -> str:
    verdict = "yes" if comparison.passed else "NO"
    return f"{comparison.reference}: {verdict}, {comparison.equal:,}/{comparison.images:,}"


def _figure_cells(m: Measurement) -> Iterable[str]:
    for figure in figures(m):
        if figure.name != ACCURACY:
            digits = 2 if figure.name == PER_MAC else 0
            yield f"{figure.value:,.{digits}f}\n{figure.kind}"


def layer_table(m: Measurement) -> Table:
    """One row for each layer."""
    table = Table(title=f"{m.model} on {m.target}: layers, instructions {m.kind} on {m.device}")
    for heading in ("layer", "signature"):
        table.add_column(heading, overflow="fold")
    for heading in ("instructions", "share", "MACs", "per MAC", "weights, biases (bytes)"):
        table.add_column(heading, justify="right")
    for layer in m.layers:
        table.add_row(
            layer.name,
            layer.signature,
            f"{layer.instructions:,.0f}",
            f"{layer.instructions / m.instructions:.1%}",
            f"{layer.macs:,}",
            f"{layer.instructions / layer.macs:.2f}" if layer.macs else "",
            f"{layer.weight_bytes:,}",
        )
    rest = m.instructions - sum(layer.instructions for layer in m.layers)
    table.add_row("outside of layers", "", f"{rest:,.0f}", f"{rest / m.instructions:.1%}")
    return table


def as_document(
    command: str, version: str, measurements: Sequence[Measurement], remarks: Sequence[str]
) -> dict[str, Any]:
    """Everything as JSON: every figure with unit, kind and source."""
    return {
        "schema_version": 1,
        "command": command,
        "edgeflow_version": version,
        "remarks": list(remarks),
        "measurements": [
            {
                "model": m.model,
                "target": m.target,
                "inputs": m.inputs,
                "accuracy": asdict(m.accuracy),
                "bit_exact": m.bit_exact,
                "comparisons": [asdict(c) for c in m.comparisons],
                "notes": list(m.notes),
                "figures": [asdict(figure) for figure in figures(m)],
                "layers": [asdict(layer) for layer in m.layers],
                "layer_kind": m.kind.value,
            }
            for m in measurements
        ],
    }
