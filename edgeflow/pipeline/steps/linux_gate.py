"""Stage gate for Linux: the verdict over answers, sizes and time."""

from __future__ import annotations

from edgeflow.gate.verdict import Evidence, judge
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.files import read_arrays
from edgeflow.pipeline.steps.gate import read_scoring, write_verdict
from edgeflow.pipeline.steps.linux_compile import read_compiled
from edgeflow.pipeline.steps.linux_run import read_timing
from edgeflow.pipeline.steps.run import ANSWERS, read_device_run


def run(context: StageContext) -> None:
    """Judge; a negative verdict is written like a positive one."""
    answers = read_arrays(context.inputs["run"] / ANSWERS)
    program = read_compiled(context.inputs["compile"])
    timing = read_timing(context.inputs["run"])
    counted = read_device_run(context.inputs["run"]).instructions
    evidence = Evidence(
        expected=answers["expected"],
        device=answers["device"],
        host=None,
        labels=answers.get("labels"),
        instructions=int(counted.max()) if counted.size else None,
        flash_bytes=program.library_bytes,
        ram_bytes=program.memory_bytes,
        latency_seconds=None if timing is None else timing.median_seconds,
        scoring=read_scoring(context, answers["inputs"]),
    )
    write_verdict(judge(evidence, context.plan.config.budget), context.output)
