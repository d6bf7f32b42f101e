"""A design's answers to a graph's inputs: the accelerator in simulation, the rest on the host."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.fpga.network import finish
from edgeflow.backends.fpga.verilog import Design
from edgeflow.devices.device import DeviceRun
from edgeflow.devices.verilator import SOURCE, Simulation, simulate, stream
from edgeflow.errors import DeviceFaultError
from edgeflow.figures import FigureKind
from edgeflow.graph.ir import Graph


@dataclass(frozen=True, eq=False)
class DesignRun:
    """The answers as a device's, and the simulation that they come from."""

    run: DeviceRun
    simulation: Simulation


def require_pace(design: Design, graph: Graph, inputs: NDArray[np.int8], run: DeviceRun) -> None:
    """Raise DeviceFaultError where a network in space answers otherwise given an input a cycle."""
    outputs = finish(graph, stream(design, inputs)).reshape(len(inputs), -1)
    if not np.array_equal(outputs, run.outputs):
        raise DeviceFaultError(
            "Given an input in every cycle the network answers otherwise than with pauses.",
            hint="Report this as a defect.",
        )


def run_design(design: Design, graph: Graph, inputs: NDArray[np.int8]) -> DesignRun:
    """Every input through the accelerator, and through what is left to the host."""
    found = simulate(design, inputs)
    outputs = finish(graph, found.answers)
    run = DeviceRun(
        outputs=outputs.reshape(len(outputs), -1),
        instructions=np.zeros(0, np.int64),
        layers=(),
        stack_bytes=None,
        kind=FigureKind.SIMULATED,
        source=f"{SOURCE}, the whole design",
    )
    return DesignRun(run, found)
