"""Stage report: everything that the build found out, as one document and as one HTML file."""

from __future__ import annotations

from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.summarize import summarize

SUMMARY = "figures.json"
REPORT = "report.html"


def run(context: StageContext) -> None:
    """Write summary and report, for positive and negative verdicts alike."""
    from edgeflow.pipeline.steps.files import write_document
    from edgeflow.report.render import render

    summary = summarize(context)
    write_document(context.output / SUMMARY, summary.model_dump(mode="json"))
    (context.output / REPORT).write_text(render(summary), encoding="utf-8", newline="\n")
