"""A design as files of a bundle: Verilog, memories, bitstream, and how they came to be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from edgeflow.backends.fpga.board import TOP, constraints_name
from edgeflow.backends.fpga.implementation import (
    Implementation,
    routing_arguments,
    synthesis_script,
)
from edgeflow.backends.fpga.part import tools_of
from edgeflow.backends.fpga.verilog import CORE, Design
from edgeflow.targets.schema import Target

DESIGN = "design.json"
BITSTREAM = "design.bit"
ROUTING_REPORT = "routing.json"
SCRIPT = "build.sh"


@dataclass(frozen=True, eq=False)
class Hardware:
    """A design with its bitstream."""

    design: Design
    bitstream: bytes


def folder_files(design: Design, found: Implementation, target: Target) -> dict[str, bytes]:
    """Everything by name; `read_hardware` gives it back."""
    document = {
        "given_bytes": design.given_bytes,
        "answer_bytes": design.answer_bytes,
        "useful_macs": design.useful_macs,
        "lanes": design.lanes,
        "cycles": design.cycles,
        "layer_cycles": dict(design.layer_cycles),
        "sources": sorted(design.files),
    }
    return {
        **{name: text.encode() for name, text in design.files.items()},
        DESIGN: (json.dumps(document, indent=2) + "\n").encode(),
        BITSTREAM: found.bitstream,
        ROUTING_REPORT: found.report.encode(),
        SCRIPT: build_script(design, target, found.seed).encode(),
    }


def read_hardware(files: Mapping[str, bytes]) -> Hardware:
    """The design in the files of a folder. Raises KeyError or ValueError."""
    document = json.loads(files[DESIGN])
    names = document.pop("sources")
    texts = {name: files[name].decode("utf-8") for name in names}
    return Hardware(Design(files=texts, **document), files[BITSTREAM])


def build_script(design: Design, target: Target, seed: int) -> str:
    """A shell script with which stock Yosys and nextpnr make the bitstream."""
    assert target.fpga is not None
    part, tools = target.fpga, tools_of(target.fpga)
    pins, top = (constraints_name(part), TOP) if part.board else (None, CORE)
    routing = " ".join(routing_arguments(part, target.core.clock_hz, pins, seed))
    router, packer = tools.router.removeprefix("yowasp-"), tools.packer.removeprefix("yowasp-")
    return (
        "#!/bin/sh\n"
        "# Makes design.bit from the Verilog beside it; PREFIX=yowasp- for the tools of pip.\n"
        "set -eu\n"
        f"${{PREFIX-}}yosys -q -p '{synthesis_script(part, top, design.files)}'\n"
        f"${{PREFIX-}}{router} {routing}\n"
        f"${{PREFIX-}}{packer} routed.{tools.routed_suffix} {BITSTREAM}\n"
    )
