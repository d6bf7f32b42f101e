"""Stage compile for FPGAs: the design placed, routed, and as a bitstream."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from edgeflow.backends.fpga.implementation import Delay, Implementation
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.files import read_document, write_document
from edgeflow.pipeline.steps.fpga_generate import read_design
from edgeflow.progress import ProgressEvent

ROUTED = "routed.json"
BITSTREAM_FILE = "design.bit"


def run(context: StageContext) -> None:
    """Synthesize, place and route for the target's clock."""
    from edgeflow.backends.fpga.board import TOP, constraints_name
    from edgeflow.backends.fpga.implementation import SEEDS, implement
    from edgeflow.backends.fpga.verilog import CORE

    target = context.plan.target
    assert target.fpga is not None
    design = read_design(context.inputs["generate"])

    def tell(message: str) -> None:
        context.progress(ProgressEvent("compile", message))

    tell(f"synthesis and routing for {target.name}")
    pins, top = (constraints_name(target.fpga), TOP) if target.fpga.board else (None, CORE)
    clock_hz = target.core.clock_hz
    found = implement(design.files, top, target.fpga, clock_hz, pins, SEEDS, tell)
    document = asdict(found)
    (context.output / BITSTREAM_FILE).write_bytes(document.pop("bitstream"))
    write_document(context.output / ROUTED, document)


def read_implementation(folder: Path) -> Implementation:
    """What this stage wrote."""
    document = read_document(folder / ROUTED)
    path = tuple(Delay(**row) for row in document.pop("critical_path"))
    bitstream = (folder / BITSTREAM_FILE).read_bytes()
    return Implementation(critical_path=path, bitstream=bitstream, **document)
