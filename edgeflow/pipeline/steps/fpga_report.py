"""Stage report for FPGAs: the summary of a build whose artifact is a bitstream."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from edgeflow import __version__
from edgeflow.backends.fpga.implementation import Implementation
from edgeflow.backends.fpga.verilog import Design
from edgeflow.bundle.summary import CheckRow, FigureRow, LayerRow, RegionRow, Summary
from edgeflow.devices.device import DeviceRun
from edgeflow.figures import FigureKind, Unit
from edgeflow.graph.ir import Graph
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps import score_rows, training_rows
from edgeflow.pipeline.steps.data import DESCRIPTION, read_postprocessing
from edgeflow.pipeline.steps.files import MODEL, read_arrays, read_document
from edgeflow.pipeline.steps.fpga_compile import read_implementation
from edgeflow.pipeline.steps.fpga_gate import memory_bytes
from edgeflow.pipeline.steps.fpga_generate import read_design
from edgeflow.pipeline.steps.fpga_run import SIMULATED
from edgeflow.pipeline.steps.gate import read_verdict
from edgeflow.pipeline.steps.generate import read_graph
from edgeflow.pipeline.steps.report import write_report
from edgeflow.pipeline.steps.run import ANSWERS, read_device_run
from edgeflow.targets.schema import MemoryKind, Target

LATENCY = "latency"
FASTEST = "latency at the clock that the routed design reaches"
_RESOURCES = {
    "luts": "LUTs",
    "flip_flops": "flip-flops",
    "block_rams": "block RAMs",
    "large_rams": "large RAMs",
    "multipliers": "multipliers",
}
CLOCK = "clock that the routed design reaches"


def run(context: StageContext) -> None:
    """Write summary and report, for positive and negative verdicts alike."""
    write_report(_summarize(context), context.output)


def _summarize(context: StageContext) -> Summary:
    target, inputs = context.plan.target, context.inputs
    graph, design = read_graph(context.find(MODEL)), read_design(inputs["generate"])
    device, verdict = read_device_run(inputs["run"]), read_verdict(inputs["gate"])
    answers = read_arrays(inputs["run"] / ANSWERS)
    found = read_implementation(inputs["compile"])
    cycles = read_document(inputs["run"] / SIMULATED)
    return Summary(
        schema_version=1,
        edgeflow_version=__version__,
        model=context.plan.model_name,
        data=read_document(inputs["data"] / DESCRIPTION)["name"],
        target=target.name,
        target_description=target.description,
        device=device.source,
        images=verdict.images,
        figures=(
            *score_rows.alarms(context, device, answers),
            *_times(target, design, found, cycles, device),
            *_resources(found),
        ),
        task=read_postprocessing(inputs["data"]).task,
        **score_rows.fields(context, verdict, device, answers),
        layers=tuple(_layers(graph, design, target)),
        overhead_instructions=0.0,
        layer_kind=FigureKind.SIMULATED,
        arena_bytes=0,
        arena_lower_bound_bytes=0,
        arena_proven_optimal=False,
        regions=_regions(target, found),
        checks=tuple(
            CheckRow(name=check.name.value, passed=check.passed, detail=check.detail)
            for check in verdict.checks
        ),
        epochs=score_rows.epochs(context),
        **training_rows.fields(context),
        engine="edgeflow",
        remark=_remark(graph, design),
    )


def _times(
    target: Target,
    design: Design,
    found: Implementation,
    cycles: dict[str, Any],
    device: DeviceRun,
) -> Iterable[FigureRow]:
    most, clock_hz = int(cycles["most_cycles"]), target.core.clock_hz
    stream = int(cycles["input_cycles"]) + int(cycles["answer_cycles"])
    counted = {"kind": FigureKind.SIMULATED, "source": device.source}
    timed = {"kind": FigureKind.SIMULATED, "unit": Unit.SECONDS}
    at = f"{most:,} simulated cycles at"
    yield FigureRow(name="cycles", value=most, unit=Unit.CYCLES, **counted)
    yield FigureRow(
        name="cycles with the byte streams in and out",
        value=most + stream,
        unit=Unit.CYCLES,
        **counted,
    )
    yield FigureRow(
        name=LATENCY, value=most / clock_hz, source=f"{at} {clock_hz / 1e6:g} MHz", **timed
    )
    yield FigureRow(
        name=FASTEST,
        value=most / found.fmax_hz,
        source=f"{at} {found.fmax_hz / 1e6:.1f} MHz",
        **timed,
    )
    yield FigureRow(
        name=CLOCK,
        value=found.fmax_hz,
        unit=Unit.HERTZ,
        kind=FigureKind.ESTIMATED,
        source=f"static timing analysis of nextpnr after routing, worst case, seed {found.seed}",
    )
    if design.lanes is None:
        # Stage run failed if the network did not keep this pace.
        yield FigureRow(
            name="cycles from one input to the next, all of its bytes at once",
            value=1,
            unit=Unit.CYCLES,
            **counted,
        )
    else:
        yield FigureRow(
            name="products for each lane and cycle",
            value=design.useful_macs / design.lanes / most,
            unit=Unit.RATIO,
            **counted,
        )


def _resources(found: Implementation) -> Iterable[FigureRow]:
    for name, used in found.used.items():
        yield FigureRow(
            name=_RESOURCES[name],
            value=used,
            unit=Unit.COUNT,
            kind=FigureKind.MEASURED,
            source=f"the routed design, of {found.available[name]:,}",
        )
    yield FigureRow(
        name="bitstream",
        value=len(found.bitstream),
        unit=Unit.BYTES,
        kind=FigureKind.MEASURED,
        source="the packed file",
    )


def _layers(graph: Graph, design: Design, target: Target) -> Iterable[LayerRow]:
    """Layers with the time until the next one begins."""
    from edgeflow.backends.firmware.sharing import tensor_bytes
    from edgeflow.graph import cost

    nodes = {node.name: node for node in graph.nodes}
    for number, (name, cycles) in enumerate(design.layer_cycles.items()):
        node = nodes[name]
        output = graph.tensors[node.outputs[0]]
        yield LayerRow(
            name=name,
            symbol=f"layer {number}",
            operator=node.kind.value,
            signature=cost.signature(graph, node),
            output_shape=output.shape[1:],
            macs=cost.macs(graph, node),
            seconds=cycles / target.core.clock_hz,
            weight_bytes=cost.weight_bytes(graph, node),
            output_bytes=tensor_bytes(output),
        )


def _regions(target: Target, found: Implementation) -> tuple[RegionRow, ...]:
    flash, ram = target.region(MemoryKind.FLASH), target.region(MemoryKind.RAM)
    blocks = memory_bytes(target, found)
    return (
        RegionRow(
            name=flash.name,
            capacity_bytes=flash.size_bytes,
            used={"bitstream": len(found.bitstream)},
        ),
        RegionRow(name=ram.name, capacity_bytes=ram.size_bytes, used={"block RAMs": blocks}),
    )


def _remark(graph: Graph, design: Design) -> str:
    from edgeflow.backends.fpga.network import accelerated

    host = graph.nodes[len(accelerated(graph)) :]
    kinds = ", ".join(node.kind.value for node in host)
    hardware = (
        "every product in logic of its own, so that the network takes an input every cycle where "
        "its bytes come at once"
        if design.lanes is None
        else f"{design.lanes} lanes"
    )
    parts = [f"{hardware}; no board took part: the design was simulated and routed"]
    if kinds:
        parts.append(f"the host computes {kinds} from the answer")
    return "; ".join(parts)
