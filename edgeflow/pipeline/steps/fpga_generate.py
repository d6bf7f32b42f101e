"""Stage generate for FPGAs: the integer graph as an accelerator in Verilog."""

from __future__ import annotations

from pathlib import Path

from edgeflow.backends.fpga.verilog import Design
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.files import MODEL, read_document, write_document
from edgeflow.pipeline.steps.generate import read_graph, require_legal

DESIGN_FILE = "design.json"


def run(context: StageContext) -> None:
    """Generate the design for the target's lanes."""
    from edgeflow.backends.fpga.board import on_board
    from edgeflow.backends.fpga.network import network_of
    from edgeflow.backends.fpga.part import tools_of
    from edgeflow.backends.fpga.verilog import design_of

    target = context.plan.target
    assert target.fpga is not None
    graph = read_graph(context.find(MODEL))
    require_legal(graph, target)
    tools = tools_of(target.fpga)
    network = network_of(graph, target.fpga.lanes, 2 * tools.half)
    design = design_of(network, tools.half, tools.soft_lanes)
    if target.fpga.board is not None:
        design = on_board(design, target.fpga, target.fpga.board, target.core.clock_hz)
    write_design(design, context.output)


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
