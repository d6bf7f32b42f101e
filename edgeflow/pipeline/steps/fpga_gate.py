"""Stage gate for FPGAs: the verdict over answers, latency, clock and memory."""

from __future__ import annotations

from dataclasses import replace

from edgeflow.backends.fpga.implementation import Implementation
from edgeflow.figures import Unit
from edgeflow.gate.verdict import Check, CheckName, Evidence, judge
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.files import read_arrays, read_document
from edgeflow.pipeline.steps.fpga_compile import read_implementation
from edgeflow.pipeline.steps.fpga_run import SIMULATED
from edgeflow.pipeline.steps.gate import read_scoring, write_verdict
from edgeflow.pipeline.steps.run import ANSWERS
from edgeflow.targets.schema import MemoryKind, Target


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
        ram_bytes=memory_bytes(context.plan.target, found),
        latency_seconds=cycles / clock_hz,
        scoring=read_scoring(context, answers["inputs"]),
    )
    verdict = judge(evidence, context.plan.config.budget)
    clock = _clock(found.fmax_hz, clock_hz)
    write_verdict(replace(verdict, checks=(*verdict.checks, clock)), context.output)


def memory_bytes(target: Target, found: Implementation) -> int:
    """The share of the target's block RAM that the design takes."""
    size = target.region(MemoryKind.RAM).size_bytes
    return size * found.used["block_rams"] // found.available["block_rams"]


def _clock(reached_hz: float, wanted_hz: float) -> Check:
    detail = f"{reached_hz / 1e6:.1f} MHz reached, {wanted_hz / 1e6:.1f} MHz wanted"
    passed = reached_hz >= wanted_hz
    return Check(CheckName.CLOCK, passed, reached_hz, wanted_hz, Unit.HERTZ, detail)
