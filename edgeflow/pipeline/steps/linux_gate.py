"""Stage gate for Linux: the verdict over answers, sizes and time of the engine that was chosen."""

from __future__ import annotations

from edgeflow.figures import FigureKind
from edgeflow.gate.verdict import Evidence, judge
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.files import read_arrays
from edgeflow.pipeline.steps.gate import read_scoring, write_verdict
from edgeflow.pipeline.steps.linux_compile import read_compiled
from edgeflow.pipeline.steps.linux_race import chosen_run, read_chosen, read_chosen_row
from edgeflow.pipeline.steps.run import ANSWERS, read_device_run


def run(context: StageContext) -> None:
    """Judge; a negative verdict is written like a positive one."""
    answers = read_arrays(context.inputs["run"] / ANSWERS)
    race = context.inputs["race"]
    chosen, row = read_chosen(race), read_chosen_row(race)
    device = chosen_run(read_device_run(context.inputs["run"]), race)
    own = read_compiled(context.inputs["compile"])
    evidence = Evidence(
        expected=answers["expected"],
        device=device.outputs,
        host=None,
        labels=answers.get("labels"),
        instructions=int(device.instructions.max()) if device.instructions.size else None,
        flash_bytes=own.library_bytes if chosen is None else chosen.size_bytes,
        ram_bytes=own.memory_bytes if chosen is None else row.memory_bytes or 0,
        latency_seconds=row.seconds if row.kind is FigureKind.MEASURED else None,
        scoring=read_scoring(context, answers["inputs"]),
        exact=chosen is None,
    )
    write_verdict(judge(evidence, context.plan.config.budget), context.output)
