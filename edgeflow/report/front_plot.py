"""The plot of a search: what its solutions lose over what they cost."""

from __future__ import annotations

import itertools

from edgeflow.bundle.summary import Summary
from edgeflow.report.plots import ACCENT, MUTED, PALETTE, WIDTH_INCHES, figure_of, svg_of

SEARCHED = "search"  # rows of the front that are solutions of the integer program


def front_plot(summary: Summary) -> str:
    """Loss before fine-tuning over instructions: the search's front, and what needs no search."""
    from matplotlib.ticker import LogLocator, NullLocator

    assert summary.search is not None
    figure, (axes,) = figure_of(WIDTH_INCHES, 3.6)
    front = [row for row in summary.search.front if row.name == SEARCHED]
    others = [row for row in summary.search.front if row.name != SEARCHED]
    axes.plot(
        [row.instructions for row in front],
        [row.loss for row in front],
        marker="o",
        color=ACCENT,
        label="search, one point for each budget",
    )
    for row, color in zip(others, itertools.cycle(PALETTE[1:]), strict=False):
        axes.plot(row.instructions, row.loss, linestyle="", marker="s", color=color, label=row.name)
    limit = summary.search.counted["instructions"]
    axes.axvline(limit, color=MUTED, linewidth=1, linestyle="--", label="the chosen network")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("instructions for an inference")
    axes.set_ylabel("loss before fine-tuning")
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    return svg_of(figure)
