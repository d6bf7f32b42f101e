"""The summary of a build from what its stages wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edgeflow import __version__
from edgeflow.backends.engine import Engine
from edgeflow.backends.firmware.arrangement import Arrangement
from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.backends.firmware.source import SourceTree
from edgeflow.bundle.summary import (
    CheckRow,
    FigureRow,
    LayerRow,
    RegionRow,
    Summary,
)
from edgeflow.data.task import Task
from edgeflow.devices import cycle_model
from edgeflow.devices.cycle_model import CycleEstimate
from edgeflow.devices.device import INVOKE_SYMBOL, DeviceRun
from edgeflow.figures import FigureKind, Unit
from edgeflow.gate.verdict import Verdict
from edgeflow.graph.ir import Graph
from edgeflow.pipeline.engines import ENGINES
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps import memory_rows, score_rows, training_rows
from edgeflow.pipeline.steps.compile import read_arena_bytes, read_firmware
from edgeflow.pipeline.steps.data import DESCRIPTION, read_postprocessing
from edgeflow.pipeline.steps.files import MODEL, read_arrays, read_document
from edgeflow.pipeline.steps.gate import read_verdict, stack_bytes
from edgeflow.pipeline.steps.generate import (
    SEGMENTS,
    SOURCE,
    read_firmware_graph,
    read_graph,
    read_segments,
    read_source,
)
from edgeflow.pipeline.steps.layer_rows import layer_row
from edgeflow.pipeline.steps.run import ANSWERS, read_cycles, read_device_run
from edgeflow.targets.schema import MemoryKind, Target

MEAN_INSTRUCTIONS = "instructions per inference"
LARGEST_INSTRUCTIONS = "instructions, largest of all inferences"
FEWEST_CYCLES = "cycles per inference, fewest"
MOST_CYCLES = "cycles per inference, most"
FLASH = "flash"
RAM = "RAM"


@dataclass(frozen=True, eq=False)
class _Findings:
    """What the stages wrote, read back."""

    target: Target
    graph: Graph
    arrangement: Arrangement | None
    source: SourceTree
    image: FirmwareImage
    device: DeviceRun
    verdict: Verdict
    answers: Mapping[str, Any]
    cycles: CycleEstimate | None
    arena_bytes: int
    engine: Engine
    task: Task


def summarize(context: StageContext) -> Summary:
    """Every figure of the build with its kind and source."""
    found = _read(context)
    layers, overhead = _layers(found)
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
        task=found.task,
        **score_rows.fields(context, found.verdict, found.device, found.answers),
        layers=layers,
        overhead_instructions=overhead,
        layer_kind=found.device.kind,
        arena_bytes=found.arena_bytes,
        **_arena(found),
        regions=_regions(found),
        checks=tuple(
            CheckRow(name=check.name.value, passed=check.passed, detail=check.detail)
            for check in found.verdict.checks
        ),
        epochs=score_rows.epochs(context),
        **training_rows.fields(context),
        engine=found.engine.value,
        remark=ENGINES[found.engine].remark,
    )


def _arrangement(context: StageContext, graph: Graph) -> Arrangement:
    from edgeflow.backends.firmware.arrangement import arrange
    from edgeflow.backends.firmware.kernel_set import library

    kernels = library(context.plan.target.firmware.kernel_set)
    return arrange(graph, kernels, read_segments(context.inputs["generate"] / SEGMENTS))


def _read(context: StageContext) -> _Findings:
    model = context.find(MODEL)
    engine = context.plan.config.build.engine_options().engine
    own = engine is Engine.EDGEFLOW
    graph = read_firmware_graph(model) if own else read_graph(model)
    return _Findings(
        target=context.plan.target,
        graph=graph,
        arrangement=_arrangement(context, graph) if own else None,
        source=read_source(context.inputs["generate"] / SOURCE),
        image=read_firmware(context.inputs["compile"]),
        device=read_device_run(context.inputs["run"]),
        verdict=read_verdict(context.inputs["gate"]),
        answers=read_arrays(context.inputs["run"] / ANSWERS),
        cycles=read_cycles(context.inputs["run"]),
        arena_bytes=read_arena_bytes(context.inputs["compile"]),
        engine=engine,
        task=read_postprocessing(context.inputs["data"]).task,
    )


def _figures(found: _Findings) -> Iterable[FigureRow]:
    device, image = found.device, found.image
    counted = {"unit": Unit.INSTRUCTIONS, "kind": device.kind, "source": device.source}
    if device.instructions.size:
        mean, largest = float(device.instructions.mean()), float(device.instructions.max())
        yield FigureRow(name=MEAN_INSTRUCTIONS, value=mean, **counted)
        yield FigureRow(name=LARGEST_INSTRUCTIONS, value=largest, **counted)
    if found.cycles is not None:
        modelled = {
            "unit": Unit.CYCLES,
            "kind": FigureKind.ESTIMATED,
            "source": f"{found.cycles.instructions} counted instructions of the first test image, "
            + cycle_model.SOURCE,
        }
        yield FigureRow(name=FEWEST_CYCLES, value=found.cycles.low, **modelled)
        yield FigureRow(name=MOST_CYCLES, value=found.cycles.high, **modelled)
    linked = {"unit": Unit.BYTES, "kind": FigureKind.MEASURED, "source": "the linked image"}
    stack = stack_bytes(device, image)
    yield FigureRow(name=FLASH, value=image.flash_bytes, **linked)
    constants = ENGINES[found.engine].constants
    yield FigureRow(name=constants, value=found.source.weight_bytes, **linked)
    ram = f"the linked image, and the stack on {device.source}"
    yield FigureRow(
        name=RAM,
        value=image.ram_bytes + stack,
        unit=Unit.BYTES,
        kind=device.kind,
        source=ram,
    )
    yield FigureRow(name="arena", value=found.arena_bytes, **linked)
    if found.arrangement is not None:
        memory = found.arrangement.memory
        yield FigureRow(
            name="arena, lower bound",
            value=memory.lower_bound_bytes,
            unit=Unit.BYTES,
            kind=FigureKind.MEASURED,
            source="the memory plan"
            + (", proven optimal" if memory.proven_optimal else ", not proven optimal"),
        )
    yield FigureRow(
        name="stack, high-water mark",
        value=stack,
        unit=Unit.BYTES,
        kind=device.kind,
        source=device.source,
    )


def _layers(found: _Findings) -> tuple[tuple[LayerRow, ...], float]:
    """Rows in the order of execution, and the mean count outside of all layers."""
    counts = {row.symbol: float(row.instructions.mean()) for row in found.device.layers}
    nodes = {node.name: node for node in found.graph.nodes}
    rows = tuple(
        layer_row(found.graph, layer, nodes.get(layer.node_name)).model_copy(
            update={"instructions": counts[layer.symbol]}
        )
        for layer in found.source.layers
        if layer.symbol in counts
    )
    return rows, counts.get(INVOKE_SYMBOL, 0.0)


def _arena(found: _Findings) -> dict[str, Any]:
    """What is known of the arena's plan: nothing where another engine made it."""
    if found.arrangement is None:
        return {"arena_lower_bound_bytes": found.arena_bytes, "arena_proven_optimal": False}
    return memory_rows.fields(found.graph, found.arrangement)


def _regions(found: _Findings) -> tuple[RegionRow, ...]:
    image, source = found.image, found.source
    weights = min(source.weight_bytes, image.flash_bytes)
    arena = min(found.arena_bytes, image.ram_bytes)
    used = {
        MemoryKind.FLASH: {"weights": weights, "code": image.flash_bytes - weights},
        MemoryKind.RAM: {
            "arena": arena,
            "other data": image.ram_bytes - arena,
            "stack": stack_bytes(found.device, image),
        },
    }
    return tuple(
        RegionRow(
            name=found.target.region(kind).name,
            capacity_bytes=found.target.region(kind).size_bytes,
            used=used[kind],
        )
        for kind in (MemoryKind.FLASH, MemoryKind.RAM)
    )
