"""The report: one HTML file that needs nothing else, as a function of the summary."""

from __future__ import annotations

from collections import Counter
from importlib import resources

from edgeflow.bundle.summary import Summary
from edgeflow.figures import Unit, quantity

__all__ = ["quantity", "render"]


def render(summary: Summary) -> str:
    """HTML with inline style and SVG plots; the same summary gives the same text."""
    from jinja2 import Environment, StrictUndefined

    from edgeflow.report import plots
    from edgeflow.report.front_plot import front_plot

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["quantity"] = quantity
    template = (resources.files("edgeflow.report") / "report.html.j2").read_text("utf-8")
    drawn = {
        "scores": plots.score_plot(summary) if summary.all_scores else "",
        "layers": plots.layer_plot(summary) if summary.cost_unit else "",
        "arena": plots.arena_plot(summary) if summary.arena_peak is not None else "",
        "regions": plots.region_plot(summary) if summary.regions else "",
        "growth": plots.growth_plot(summary) if summary.growth else "",
        "search": front_plot(summary) if summary.search and summary.search.front else "",
        "training": plots.training_plot(summary) if summary.epochs else "",
    }
    kinds = Counter(row.kind.value for row in summary.figures)
    return environment.from_string(template).render(
        summary=summary, plots=drawn, kinds=kinds, units=Unit
    )
