"""The report: one HTML file that needs nothing else, as a function of the summary."""

from __future__ import annotations

from collections import Counter
from importlib import resources

from edgeflow.bundle.summary import Summary
from edgeflow.figures import Unit


def render(summary: Summary) -> str:
    """HTML with inline style and SVG plots; the same summary gives the same text."""
    from jinja2 import Environment, StrictUndefined

    from edgeflow.report import plots

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["quantity"] = quantity
    template = (resources.files("edgeflow.report") / "report.html.j2").read_text("utf-8")
    drawn = {
        "accuracy": plots.accuracy_plot(summary) if summary.accuracies else "",
        "layers": plots.layer_plot(summary),
        "arena": plots.arena_plot(summary) if summary.arena_peak is not None else "",
        "regions": plots.region_plot(summary),
        "growth": plots.growth_plot(summary) if summary.growth else "",
        "training": plots.training_plot(summary) if summary.epochs else "",
    }
    kinds = Counter(row.kind.value for row in summary.figures)
    return environment.from_string(template).render(summary=summary, plots=drawn, kinds=kinds)


def quantity(value: float, unit: Unit) -> str:
    """A number as people read it, with its unit."""
    if unit is Unit.FRACTION:
        return f"{value:.2%}"
    if unit is Unit.SECONDS:
        return f"{value:.3g} s"
    number = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    return number if unit is Unit.COUNT else f"{number} {unit}"
