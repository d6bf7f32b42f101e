"""Stage gate for high-level synthesis: the verdict over answers; costs are the vendor's to tell."""

from __future__ import annotations

from edgeflow.gate.verdict import Evidence, judge
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.files import read_arrays
from edgeflow.pipeline.steps.gate import read_scoring, write_verdict
from edgeflow.pipeline.steps.run import ANSWERS


def run(context: StageContext) -> None:
    """Judge; a negative verdict is written like a positive one."""
    answers = read_arrays(context.inputs["run"] / ANSWERS)
    evidence = Evidence(
        expected=answers["expected"],
        device=answers["device"],
        host=None,
        labels=answers.get("labels"),
        instructions=None,
        flash_bytes=None,
        ram_bytes=None,
        scoring=read_scoring(context, answers["inputs"]),
    )
    write_verdict(judge(evidence, context.plan.config.budget), context.output)
