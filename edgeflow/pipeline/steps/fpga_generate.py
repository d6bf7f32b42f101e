"""Stage generate for FPGAs: the integer graph as an accelerator in Verilog."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from edgeflow.backends.fpga.style import FpgaStyle
from edgeflow.backends.fpga.verilog import Design
from edgeflow.graph.ir import Graph
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.files import MODEL, read_document, write_document
from edgeflow.pipeline.steps.generate import read_graph, require_legal
from edgeflow.progress import ProgressEvent

DESIGN_FILE = "design.json"


def run(context: StageContext) -> None:
    """Generate the design in the style of the build."""
    from edgeflow.backends.fpga.board import on_board

    target = context.plan.target
    assert target.fpga is not None
    graph = read_graph(context.find(MODEL))
    require_legal(graph, target)
    style = context.plan.config.build.style or FpgaStyle.FOLDED
    design = _STYLES[style](context, graph)
    if target.fpga.board is not None:
        design = on_board(design, target.fpga, target.fpga.board, target.core.clock_hz)
    write_design(design, context.output)


def _folded(context: StageContext, graph: Graph) -> Design:
    """Layer after layer on shared lanes; raises DoesNotFitError before synthesis."""
    from edgeflow.backends.fpga.lanes import described, fastest
    from edgeflow.backends.fpga.network import network_of
    from edgeflow.backends.fpga.part import tools_of
    from edgeflow.backends.fpga.resources import require_memory, resources_of
    from edgeflow.backends.fpga.verilog import design_of

    def tell(message: str) -> None:
        context.progress(ProgressEvent("generate", message))

    part = context.plan.target.fpga
    assert part is not None
    tools, lanes = tools_of(part), context.plan.config.build.lanes
    if lanes == "auto":
        network = fastest(graph, part, tell)
    else:
        network = network_of(graph, lanes or part.lanes, 2 * tools.half)
    found = resources_of(network, part)
    tell(f"{network.lanes} lanes: {described(found)}")
    require_memory(found, part)
    return design_of(network, tools.half, tools.soft_lanes)


def _spatial(context: StageContext, graph: Graph) -> Design:
    """Every product in logic of its own; raises DoesNotFitError before synthesis."""
    from edgeflow.backends.fpga.part import adders_in_a_cycle, tools_of
    from edgeflow.backends.fpga.spatial.cost import cost_of, require_fit, require_room
    from edgeflow.backends.fpga.spatial.network import arrange, spatial_layers
    from edgeflow.backends.fpga.spatial.verilog import spatial_design

    def tell(message: str) -> None:
        context.progress(ProgressEvent("generate", message))

    target = context.plan.target
    assert target.fpga is not None
    layers, features = spatial_layers(graph)
    require_room(layers, features, target.fpga)
    adders = adders_in_a_cycle(target.fpga, target.core.clock_hz)
    arrangement = arrange(graph, layers, features, adders, tell)
    cost = cost_of(arrangement, tools_of(target.fpga).chain_luts)
    tell(f"{cost.luts:,} LUTs and {cost.flip_flops:,} flip-flops (estimated)")
    require_fit(cost, target.fpga)
    return spatial_design(arrangement)


_STYLES: Mapping[FpgaStyle, Callable[[StageContext, Graph], Design]] = {
    FpgaStyle.FOLDED: _folded,
    FpgaStyle.SPATIAL: _spatial,
}


def write_design(design: Design, folder: Path) -> None:
    """Write a design; `read_design` gives it back."""
    write_document(
        folder / DESIGN_FILE,
        {
            "files": dict(design.files),
            "given_bytes": design.given_bytes,
            "answer_bytes": design.answer_bytes,
            "useful_macs": design.useful_macs,
            "lanes": design.lanes,
            "cycles": design.cycles,
            "layer_cycles": dict(design.layer_cycles),
        },
    )


def read_design(folder: Path) -> Design:
    """The design that this stage wrote."""
    return Design(**read_document(folder / DESIGN_FILE))
