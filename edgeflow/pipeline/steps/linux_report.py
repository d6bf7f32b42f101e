"""Stage report for Linux: the summary of a build whose artifact is a program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edgeflow import __version__
from edgeflow.backends.firmware.arrangement import Arrangement
from edgeflow.backends.firmware.source import SourceTree
from edgeflow.backends.native.program import NativeProgram
from edgeflow.backends.runtimes.program import RuntimeProgram
from edgeflow.bundle.race_rows import RaceRow
from edgeflow.bundle.summary import CheckRow, FigureRow, LayerRow, RegionRow, Summary
from edgeflow.devices.device import DeviceRun
from edgeflow.devices.timing import Timing
from edgeflow.figures import FigureKind, Unit
from edgeflow.gate.verdict import Verdict
from edgeflow.graph.ir import Graph
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps import memory_rows, score_rows, training_rows
from edgeflow.pipeline.steps.data import DESCRIPTION, read_postprocessing
from edgeflow.pipeline.steps.files import MODEL, read_arrays, read_document
from edgeflow.pipeline.steps.gate import read_verdict
from edgeflow.pipeline.steps.generate import (
    SEGMENTS,
    SOURCE,
    read_firmware_graph,
    read_segments,
    read_source,
)
from edgeflow.pipeline.steps.layer_rows import layer_row
from edgeflow.pipeline.steps.linux_compile import read_compiled
from edgeflow.pipeline.steps.linux_race import (
    chosen_run,
    read_chosen,
    read_chosen_row,
    read_race,
)
from edgeflow.pipeline.steps.linux_run import read_timing
from edgeflow.pipeline.steps.report import write_report
from edgeflow.pipeline.steps.run import ANSWERS, read_device_run
from edgeflow.targets.schema import MemoryKind, Target

LATENCY = "latency"
BOUND = "latency, lower bound of one core"
ESTIMATE = "latency, by the board's profile"
MEAN_INSTRUCTIONS = "instructions per inference"


@dataclass(frozen=True, eq=False)
class _Findings:
    """What the stages wrote, read back."""

    target: Target
    graph: Graph
    arrangement: Arrangement
    source: SourceTree
    program: NativeProgram
    device: DeviceRun
    timing: Timing | None
    race: tuple[RaceRow, ...]
    row: RaceRow
    chosen: RuntimeProgram | None
    verdict: Verdict
    answers: Mapping[str, Any]


def run(context: StageContext) -> None:
    """Write summary and report, for positive and negative verdicts alike."""
    write_report(_summarize(context), context.output)


def _summarize(context: StageContext) -> Summary:
    found = _read(context)
    return Summary(
        schema_version=1,
        edgeflow_version=__version__,
        model=context.plan.model_name,
        data=read_document(context.inputs["data"] / DESCRIPTION)["name"],
        target=found.target.name,
        target_description=found.target.description,
        device=found.device.source,
        images=found.verdict.images,
        figures=(
            *score_rows.alarms(context, found.device, found.answers),
            *_times(found),
            *(_own_sizes(found) if found.chosen is None else _runtime_sizes(found)),
        ),
        task=read_postprocessing(context.inputs["data"]).task,
        **score_rows.fields(context, found.verdict, found.device, found.answers),
        overhead_instructions=0.0,
        layer_kind=found.device.kind,
        **(_own_memory(found) if found.chosen is None else _NO_MEMORY_PLAN),
        regions=_regions(found),
        checks=tuple(
            CheckRow(name=check.name.value, passed=check.passed, detail=check.detail)
            for check in found.verdict.checks
        ),
        epochs=score_rows.epochs(context),
        **training_rows.fields(context),
        engine=found.row.engine.value,
        race=found.race,
        remark=_remark(found),
    )


def _read(context: StageContext) -> _Findings:
    from edgeflow.backends.firmware.arrangement import arrange
    from edgeflow.backends.firmware.kernel_set import library

    target, inputs = context.plan.target, context.inputs
    graph = read_firmware_graph(context.find(MODEL))
    segments = read_segments(inputs["generate"] / SEGMENTS)
    return _Findings(
        target=target,
        graph=graph,
        arrangement=arrange(graph, library(target.firmware.kernel_set), segments),
        source=read_source(inputs["generate"] / SOURCE),
        program=read_compiled(inputs["compile"]),
        device=chosen_run(read_device_run(inputs["run"]), inputs["race"]),
        timing=read_timing(inputs["run"]),
        race=read_race(inputs["race"]),
        row=read_chosen_row(inputs["race"]),
        chosen=read_chosen(inputs["race"]),
        verdict=read_verdict(inputs["gate"]),
        answers=read_arrays(inputs["run"] / ANSWERS),
    )


def _times(found: _Findings) -> Iterable[FigureRow]:
    """Instructions where an emulator counts them, or the time of the chosen engine in the race."""
    device, row = found.device, found.row
    if device.instructions.size:
        yield FigureRow(
            name=MEAN_INSTRUCTIONS,
            value=float(device.instructions.mean()),
            unit=Unit.INSTRUCTIONS,
            kind=device.kind,
            source=f"{device.source}, the first {device.instructions.size} test samples",
        )
    if row.seconds is not None and row.kind is FigureKind.ESTIMATED:
        value, unit, name = row.seconds, Unit.SECONDS, BOUND if row.is_bound else ESTIMATE
        yield FigureRow(name=name, value=value, unit=unit, kind=row.kind, source=row.source)
    if row.seconds is None or row.p95_seconds is None or row.half_width is None:
        return
    source = f"{row.source}; {row.inferences:,} inferences in {row.rounds} processes"
    for name, value, unit in (
        (LATENCY, row.seconds, Unit.SECONDS),
        ("latency, 95th percentile", row.p95_seconds, Unit.SECONDS),
        ("latency, half width of the 95 % interval", row.half_width, Unit.FRACTION),
    ):
        yield FigureRow(name=name, value=value, unit=unit, kind=row.kind, source=source)


def _own_sizes(found: _Findings) -> Iterable[FigureRow]:
    program = found.program
    for name, size, source in (
        ("library", program.library_bytes, "the linked library's file"),
        ("runner", len(program.runner), "the static program's file"),
        ("memory", program.memory_bytes, "what the runner maps: code, constants, static data"),
        ("weights", found.source.weight_bytes, "the generated source"),
        ("arena", found.source.arena_bytes, "the memory plan"),
        ("arena, lower bound", found.arrangement.memory.lower_bound_bytes, "the memory plan"),
    ):
        yield _bytes(name, size, source)


def _runtime_sizes(found: _Findings) -> Iterable[FigureRow]:
    assert found.chosen is not None
    yield _bytes("model and script", found.chosen.size_bytes, "the files, without the engine")
    yield _bytes("memory", found.row.memory_bytes or 0, "the process with its engine, at its peak")


def _bytes(name: str, value: float, source: str) -> FigureRow:
    unit, kind = Unit.BYTES, FigureKind.MEASURED
    return FigureRow(name=name, value=value, unit=unit, kind=kind, source=source)


# An engine that lays its memory out itself does not show it.
_NO_MEMORY_PLAN: Mapping[str, Any] = {
    "layers": (),
    "arena_bytes": 0,
    "arena_lower_bound_bytes": 0,
    "arena_proven_optimal": False,
}


def _own_memory(found: _Findings) -> dict[str, Any]:
    return {
        "layers": tuple(_layers(found)),
        "arena_bytes": found.source.arena_bytes,
        **memory_rows.fields(found.graph, found.arrangement),
    }


def _remark(found: _Findings) -> str:
    """What makes times doubtful, and what an engine with arithmetic of its own means."""
    parts = [] if found.timing is None or not found.timing.warning else [found.timing.warning]
    if found.chosen is not None:
        parts.append(
            f"{found.row.name} ({found.row.version}) rounds in its own way: its answers are near "
            "the interpreter's, not equal, and the device must have it installed"
        )
    return "; ".join(parts)


def _layers(found: _Findings) -> Iterable[LayerRow]:
    times = {} if found.timing is None else {t.symbol: t.seconds for t in found.timing.layers}
    counts = {row.symbol: float(row.instructions.mean()) for row in found.device.layers}
    nodes = {node.name: node for node in found.graph.nodes}
    for layer in found.source.layers:
        row = layer_row(found.graph, layer, nodes.get(layer.node_name))
        told = {"seconds": times.get(layer.symbol), "instructions": counts.get(layer.symbol)}
        yield row.model_copy(update=told)


def _regions(found: _Findings) -> tuple[RegionRow, ...]:
    program = found.program
    if found.chosen is None:
        arena = min(found.source.arena_bytes, program.memory_bytes)
        flash = {"library": program.library_bytes, "runner": len(program.runner)}
        ram = {"arena": arena, "code and constants": program.memory_bytes - arena}
    else:
        flash = {"model and script": found.chosen.size_bytes}
        ram = {"process": found.row.memory_bytes or 0}
    used = {MemoryKind.FLASH: flash, MemoryKind.RAM: ram}
    return tuple(
        RegionRow(
            name=found.target.region(kind).name,
            capacity_bytes=found.target.region(kind).size_bytes,
            used=used[kind],
        )
        for kind in (MemoryKind.FLASH, MemoryKind.RAM)
    )
