"""Stage report for Linux: the summary of a build whose artifact is a program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edgeflow import __version__
from edgeflow.backends.firmware.arrangement import Arrangement
from edgeflow.backends.firmware.source import SourceTree
from edgeflow.backends.native.program import NativeProgram
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
from edgeflow.pipeline.steps.linux_run import read_timing
from edgeflow.pipeline.steps.report import write_report
from edgeflow.pipeline.steps.run import ANSWERS, read_device_run
from edgeflow.targets.schema import MemoryKind, Target

LATENCY = "latency"
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
            *_figures(found),
        ),
        task=read_postprocessing(context.inputs["data"]).task,
        **score_rows.fields(context, found.verdict, found.device, found.answers),
        layers=tuple(_layers(found)),
        overhead_instructions=0.0,
        layer_kind=found.device.kind,
        arena_bytes=found.source.arena_bytes,
        **memory_rows.fields(found.graph, found.arrangement),
        regions=_regions(found),
        checks=tuple(
            CheckRow(name=check.name.value, passed=check.passed, detail=check.detail)
            for check in found.verdict.checks
        ),
        epochs=score_rows.epochs(context),
        **training_rows.fields(context),
        remark="" if found.timing is None else found.timing.warning,
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
        device=read_device_run(inputs["run"]),
        timing=read_timing(inputs["run"]),
        verdict=read_verdict(inputs["gate"]),
        answers=read_arrays(inputs["run"] / ANSWERS),
    )


def _figures(found: _Findings) -> Iterable[FigureRow]:
    device = found.device
    if device.instructions.size:
        yield FigureRow(
            name=MEAN_INSTRUCTIONS,
            value=float(device.instructions.mean()),
            unit=Unit.INSTRUCTIONS,
            kind=device.kind,
            source=f"{device.source}, the first {device.instructions.size} test samples",
        )
    if found.timing is not None:
        yield from _times(found.timing)
    program = found.program
    for name, size, source in (
        ("library", program.library_bytes, "the linked library's file"),
        ("runner", len(program.runner), "the static program's file"),
        ("memory", program.memory_bytes, "what the runner maps: code, constants, static data"),
        ("weights", found.source.weight_bytes, "the generated source"),
        ("arena", found.source.arena_bytes, "the memory plan"),
        ("arena, lower bound", found.arrangement.memory.lower_bound_bytes, "the memory plan"),
    ):
        yield FigureRow(
            name=name, value=size, unit=Unit.BYTES, kind=FigureKind.MEASURED, source=source
        )


def _times(timing: Timing) -> Iterable[FigureRow]:
    source = f"{timing.source}; {timing.inferences:,} inferences in {timing.rounds} processes"
    told = {"unit": Unit.SECONDS, "kind": FigureKind.MEASURED, "source": source}
    yield FigureRow(name=LATENCY, value=timing.median_seconds, **told)
    yield FigureRow(name="latency, 95th percentile", value=timing.p95_seconds, **told)
    yield FigureRow(
        name="latency, half width of the 95 % interval",
        value=timing.half_width,
        unit=Unit.FRACTION,
        kind=FigureKind.MEASURED,
        source=source,
    )


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
    arena = min(found.source.arena_bytes, program.memory_bytes)
    used = {
        MemoryKind.FLASH: {"library": program.library_bytes, "runner": len(program.runner)},
        MemoryKind.RAM: {"arena": arena, "code and constants": program.memory_bytes - arena},
    }
    return tuple(
        RegionRow(
            name=found.target.region(kind).name,
            capacity_bytes=found.target.region(kind).size_bytes,
            used=used[kind],
        )
        for kind in (MemoryKind.FLASH, MemoryKind.RAM)
    )
