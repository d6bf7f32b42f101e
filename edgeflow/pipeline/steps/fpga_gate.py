"""Stage gate for FPGAs: the verdict over answers, latency, clock and memory."""

from __future__ import annotations

from dataclasses import replace

from edgeflow.figures import Unit
from edgeflow.gate.verdict import Check, CheckName, Evidence, judge
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.files import read_arrays, read_document
from edgeflow.pipeline.steps.fpga_compile import read_implementation
from edgeflow.pipeline.steps.fpga_run import SIMULATED
from edgeflow.pipeline.steps.gate import read_scoring, write_verdict
from edgeflow.pipeline.steps.run import ANSWERS

BLOCK_RAM_BYTES = 18 * 1024 // 8


def run(context: StageContext) -> None:
    """Judge; a negative verdict is written like a positive one."""
    answers = read_arrays(context.inputs["run"] / ANSWERS)
    found = read_implementation(context.inputs["compile"])
    cycles = read_document(context.inputs["run"] / SIMULATED)["most_cycles"]
    clock_hz = context.plan.target.core.clock_hz
    evidence = Evidence(
        expected=answers["expected"],
        device=answers["device"],
        host=None,
        labels=answers.get("labels"),
        instructions=None,
        flash_bytes=len(found.bitstream),
        ram_bytes=found.used["block_rams"] * BLOCK_RAM_BYTES,
        latency_seconds=cycles / clock_hz,
        scoring=read_scoring(context, answers["inputs"]),
    )
    verdict = judge(evidence, context.plan.config.budget)
    clock = _clock(found.fmax_hz, clock_hz)
    write_verdict(replace(verdict, checks=(*verdict.checks, clock)), context.output)


def _clock(reached_hz: float, wanted_hz: float) -> Check:
    detail = f"{reached_hz / 1e6:.1f} MHz reached, {wanted_hz / 1e6:.1f} MHz wanted"
    passed = reached_hz >= wanted_hz
    return Check(CheckName.CLOCK, passed, reached_hz, wanted_hz, Unit.HERTZ, detail)
