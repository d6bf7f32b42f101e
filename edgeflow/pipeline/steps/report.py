"""Stage report: everything that the build found out, as one document and as one HTML file."""

from __future__ import annotations

from pathlib import Path

from edgeflow.bundle.summary import Summary
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.files import write_document
from edgeflow.pipeline.steps.summarize import summarize

SUMMARY = "figures.json"
REPORT = "report.html"


def run(context: StageContext) -> None:
    """Write summary and report, for positive and negative verdicts alike."""
    write_report(summarize(context), context.output)


def write_report(summary: Summary, folder: Path) -> None:
    """Write a summary, and the report of it."""
    from edgeflow.report.render import render

    path = folder / SUMMARY
    write_document(path, summary.model_dump(mode="json"))
    # From the file, so that rendering it later gives the same report.
    html = render(Summary.model_validate_json(path.read_bytes()))
    (folder / REPORT).write_text(html, encoding="utf-8", newline="\n")
