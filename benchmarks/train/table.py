"""Comparisons as a table on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from benchmarks.train.frame import Comparison


def comparison_table(comparisons: Sequence[Comparison]) -> Table:
    """One row for each method, the claim and whether it holds beside the first."""
    table = Table(title="mean +- standard deviation over the seeds; kind: measured")
    for heading in ("claim", "data", "what", "method"):
        table.add_column(heading)
    for heading in ("value", "parameters", "training MACs", "holds here"):
        table.add_column(heading, justify="right")
    for c in comparisons:
        for i, m in enumerate(c.measured):
            head = (f"{c.claim} ({c.paper})", c.data, c.what) if i == 0 else ("", "", "")
            table.add_row(
                *head,
                m.method,
                f"{m.mean:.4g} +- {m.deviation:.2g}",
                f"{m.parameters:,}",
                f"{m.training_macs:.3g}",
                c.holds if i == 0 else "",
                end_section=i == len(c.measured) - 1,
            )
    return table
