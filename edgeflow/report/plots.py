"""Plots of the report as SVG text: the same summary gives the same bytes."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

from edgeflow.bundle.summary import ArenaKind, ScoreRow, Summary
from edgeflow.figures import Unit

WIDTH_INCHES = 9.2
LABEL_INCHES = 0.065  # a digit of the labels inside the arena's rectangles
LEAST_ROOM = 0.02  # above and below scores, of the largest: equal ones look equal
ACCENT = "#0b6e99"
SECOND = "#d9730d"
MUTED = "#9aa4ad"
INK = "#24292f"
PALETTE = ("#0b6e99", "#d9730d", "#448361", "#9065b0", "#c14c8a", "#cb912f", "#787774", "#337ea9")


def score_plot(summary: Summary) -> str:
    """Scores through the stages side by side, in each a line for every split of the data."""
    names = list(dict.fromkeys(row.name for row in summary.all_scores))
    figure, every = figure_of(WIDTH_INCHES, 2.9, columns=len(names))
    for axes, name in zip(every, names, strict=True):
        _plot_score(axes, [row for row in summary.all_scores if row.name == name])
    return svg_of(figure)


def _plot_score(axes: Any, rows: Sequence[ScoreRow]) -> None:
    """One score through the stages that have it."""
    percent = rows[0].unit is Unit.FRACTION
    factor, digits = (100.0, ".2f") if percent else (1.0, ".4g")
    stages = list(dict.fromkeys(row.stage for row in rows))
    for split, color in zip(("validation", "test"), (MUTED, ACCENT), strict=True):
        drawn = [row for row in rows if row.split == split]
        if not drawn:
            continue
        x = [stages.index(row.stage) for row in drawn]
        y = [row.value * factor for row in drawn]
        axes.plot(x, y, marker="o", color=color, label=f"{split} ({drawn[0].images} images)")
        for position, value in zip(x, y, strict=True):
            axes.annotate(
                f"{value:{digits}}",
                (position, value),
                textcoords="offset points",
                xytext=(0, 7 if split == "test" else -14),
                ha="center",
                color=color,
                fontsize=8,
            )
    axes.set_xticks(range(len(stages)), [re.sub("([,-]) ?", r"\1\n", name) for name in stages])
    axes.margins(x=0.1)
    if not percent:
        values = [row.value for row in rows]
        room = max(0.4 * (max(values) - min(values)), LEAST_ROOM * max(map(abs, values)))
        axes.set_ylim(min(values) - room, max(values) + room)
        axes.ticklabel_format(axis="y", useOffset=False)
    else:
        low, high = _percent_limits([row.value * 100 for row in rows])
        axes.set_ylim(low, high)
        ticks = [tick for tick in axes.get_yticks() if max(low, 0) <= tick <= min(high, 100)]
        axes.set_yticks(ticks)
    axes.set_ylabel(f"{rows[0].name}, %" if percent else rows[0].name)
    axes.legend(frameon=False, fontsize=8, loc="best")


def _percent_limits(values: list[float]) -> tuple[float, float]:
    """Limits around percentages with room for their labels."""
    low, high = min(values, default=0.0), max(values, default=100.0)
    room = max(1.0, 0.35 * (high - low))
    # A little above 100 keeps the marker inside.
    return max(-0.5, low - room), min(100.0 + 0.2 * room, high + room)


def layer_plot(summary: Summary) -> str:
    """Instructions or microseconds of every layer, in the order in which they run."""
    rows = summary.layers
    figure, (axes,) = figure_of(WIDTH_INCHES, 0.9 + 0.27 * len(rows))
    in_time = summary.cost_unit is Unit.SECONDS
    costs = [(row.seconds or 0.0) * 1e6 if in_time else row.instructions or 0.0 for row in rows]
    total = (sum(costs) + summary.overhead_instructions) or 1.0
    unit, digits = ("microseconds", ",.1f") if in_time else ("instructions", ",.0f")
    labels = [f"{index:02d}  {row.operator.lower()}" for index, row in enumerate(rows)]
    axes.barh(labels, costs, color=ACCENT, height=0.7)
    for index, cost in enumerate(costs):
        axes.annotate(
            f"{cost:{digits}}  ({cost / total:.1%})",
            (cost, index),
            textcoords="offset points",
            xytext=(4, 0),
            va="center",
            fontsize=8,
            color=INK,
        )
    axes.invert_yaxis()
    axes.margins(x=0.22)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g}" if in_time else f"{value:,.0f}")
    axes.tick_params(axis="x", labelsize=7)
    axes.set_xlabel(f"{unit} per inference, {summary.layer_kind}")
    return svg_of(figure)


def arena_plot(summary: Summary) -> str:
    """The arena over time: a rectangle for everything in it, from its first to its last layer.

    Rows of tensors that are not whole are hatched, working memory of kernels is grey.
    """
    from matplotlib.patches import Rectangle
    from matplotlib.ticker import MaxNLocator

    figure, (axes,) = figure_of(WIDTH_INCHES, 3.4)
    last = max((row.last_layer for row in summary.arena), default=0)
    peak = summary.arena_peak
    assert peak is not None
    axes.axvspan(peak.first_layer - 0.5, peak.last_layer + 0.5, color="#f6efe6", zorder=0)
    for index, row in enumerate(summary.arena):
        scratch = row.kind is ArenaKind.SCRATCH
        width = row.last_layer - row.first_layer + 1
        axes.add_patch(
            Rectangle(
                (row.first_layer - 0.5, row.offset_bytes),
                width,
                row.size_bytes,
                facecolor=MUTED if scratch else PALETTE[index % len(PALETTE)],
                edgecolor="white",
                linewidth=1.0,
                alpha=0.6 if scratch else 0.85,
                hatch="//" if row.kind is ArenaKind.ROWS else None,
            )
        )
        label = f"{row.size_bytes:,}"
        fits = len(label) * LABEL_INCHES < width * WIDTH_INCHES / (last + 2)
        if fits and row.size_bytes >= summary.arena_bytes * 0.07:
            axes.text(
                row.first_layer - 0.5 + width / 2,
                row.offset_bytes + row.size_bytes / 2,
                label,
                ha="center",
                va="center",
                fontsize=7,
                color="white",
            )
    axes.axhline(summary.arena_bytes, color=INK, linewidth=1)
    axes.axhline(summary.arena_lower_bound_bytes, color=SECOND, linewidth=1, linestyle="--")
    axes.set_xlim(-0.75, last + 0.75)
    axes.set_ylim(0, max(1, summary.arena_bytes) * 1.08)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel("layer")
    axes.set_ylabel("bytes")
    axes.set_title(
        f"arena {summary.arena_bytes:,} bytes (line), "
        f"lower bound {summary.arena_lower_bound_bytes:,} (dashed); shaded: the peak; "
        "hatched: rows; grey: working memory",
        fontsize=9,
        loc="left",
    )
    return svg_of(figure)


def region_plot(summary: Summary) -> str:
    """Flash and RAM: what occupies each region, on the scale of what is used."""
    figure, (axes,) = figure_of(WIDTH_INCHES, 0.9 + 0.55 * len(summary.regions))
    names: dict[str, str] = {}
    for position, region in enumerate(summary.regions):
        left = 0
        for name, size_bytes in region.used.items():
            color = names.setdefault(name, PALETTE[len(names) % len(PALETTE)])
            axes.barh(position, size_bytes, left=left, color=color, height=0.55)
            left += size_bytes
        axes.annotate(
            f"{left:,} of {region.capacity_bytes:,} ({left / region.capacity_bytes:.2%})",
            (left, position),
            textcoords="offset points",
            xytext=(4, 0),
            va="center",
            fontsize=8,
        )
    for name, color in names.items():
        axes.barh(0, 0, color=color, label=name)
    axes.set_yticks(range(len(summary.regions)), [region.name for region in summary.regions])
    axes.invert_yaxis()
    axes.margins(x=0.35)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel("bytes")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return svg_of(figure)


def training_plot(summary: Summary) -> str:
    """Loss and validation score over the epochs of training and fine-tuning."""
    from matplotlib.ticker import MaxNLocator

    figure, (axes,) = figure_of(WIDTH_INCHES, 2.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    position = range(1, len(summary.epochs) + 1)
    axes.plot(position, [row.loss for row in summary.epochs], color=MUTED, label="loss")
    axes.set_xlabel("epoch (training, then quantization-aware fine-tuning)")
    axes.set_ylabel("loss")
    right = axes.twinx()
    percent = summary.epochs[0].accuracy is not None
    scores = [row.score * 100 if percent else row.score for row in summary.epochs]
    label = "validation accuracy, %" if percent else "validation R2"
    right.plot(position, scores, color=ACCENT)
    right.set_ylabel(label, color=ACCENT)
    right.spines[["top"]].set_visible(False)
    for index in range(1, len(summary.epochs)):
        if summary.epochs[index].stage != summary.epochs[index - 1].stage:
            axes.axvline(index + 0.5, color=SECOND, linewidth=1, linestyle="--")
    return svg_of(figure)


def growth_plot(summary: Summary) -> str:
    """The network's score over its epochs, and under it what it costs on the target."""
    figure, (upper, lower) = figure_of(WIDTH_INCHES, 4.2, rows=2)
    epochs = [row.epochs for row in summary.growth]
    upper.plot(epochs, [row.score for row in summary.growth], marker="o", color=ACCENT)
    upper.set_ylabel("validation score")
    costs = [row.instructions for row in summary.growth]
    lower.step(epochs, costs, where="pre", marker="o", color=SECOND)
    lower.set_ylabel("instructions", color=SECOND)
    lower.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    lower.set_ylim(bottom=0)
    lower.set_xlabel("epochs since the start")
    right = lower.twinx()
    parameters = [row.parameters for row in summary.growth]
    right.step(epochs, parameters, where="pre", color=MUTED, linestyle="--")
    right.set_ylabel("parameters (dashed)")
    right.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    right.set_ylim(bottom=0)
    right.tick_params(labelsize=8)
    right.spines[["top"]].set_visible(False)
    return svg_of(figure)


def figure_of(
    width: float, height: float, *, rows: int = 1, columns: int = 1
) -> tuple[Any, list[Any]]:
    """A figure and its axes, row by row; those of a column share their x."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    every = list(figure.subplots(rows, columns, sharex="col", squeeze=False).flat)
    for axes in every:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        axes.grid(axis="both", color="#e6e9ec", linewidth=0.6)
        axes.set_axisbelow(True)
    return figure, every


def svg_of(figure: Any) -> str:
    """The figure as SVG text, the same bytes every time."""
    import matplotlib

    stream = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "edgeflow", "svg.fonttype": "none"}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]
