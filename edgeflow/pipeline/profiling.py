"""What the layers of a network cost on a target's device: rows of a profile."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgeflow import __version__
from edgeflow.figures import FigureKind, Unit
from edgeflow.graph.ir import Graph
from edgeflow.profiles.schema import Row
from edgeflow.targets.schema import Target

if TYPE_CHECKING:
    from edgeflow.backends.firmware.image import FirmwareImage

INPUTS = 2
FIRMWARE_PROTOCOL = (
    "Networks that together hold every candidate of the space, untrained, with grids from random "
    f"inputs; {INPUTS} random inputs each. Instructions from a layer's entry to its return, the "
    "functions that it calls included; but for depthwise layers of 2-bit weights they hardly "
    "depend on values, so weights and inputs need no training. No layer runs row by row. "
    "flash_bytes: the layer's constants and its own function; the kernels, which layers share, are "
    "not counted. ram_bytes: the layer's inputs, its output and the scratch of its kernel. "
    "additivity: the sum of the rows against whole networks with a random candidate in every cell."
)
_LAYER_SYMBOL = re.compile(r"edgeflow_layer_(\d+)_")


@dataclass(frozen=True, eq=False)
class LayerRun:
    """One layer of one network: its key, what it cost [N] in the meter's unit, and bytes."""

    signature: str
    precision: str
    costs: NDArray[np.float64]
    flash_bytes: int
    ram_bytes: int


@dataclass(frozen=True, eq=False)
class NetworkRun:
    """A network whole [N], and layer by layer; no layer ran row by row. `source` is the device."""

    whole: NDArray[np.float64]
    layers: tuple[LayerRun, ...]
    kind: FigureKind
    source: str


@dataclass(frozen=True)
class Meter:
    """How networks are measured on a device: `measure(graph, inputs, seed)`, in which unit.

    `protocol` and `runtime` are what a profile's header says of it. `device` is what all rows of a
    profile must come from; empty where every emulator of the target gives the same. `alike` is how
    far an 8-bit row may be from one that was measured before in another network; None where times
    tell nothing of the kernels.
    """

    measure: Callable[[Graph, int, int], NetworkRun]
    unit: Unit
    protocol: str
    runtime: str
    device: str = ""
    power_mode: str | None = None
    alike: float | None = 0.05


def run_layers(target: Target, graph: Graph, inputs: int, seed: int) -> NetworkRun:
    """Build a network for a target and run it on the device, on random inputs."""
    from edgeflow.backends.firmware.codegen import generate
    from edgeflow.backends.firmware.toolchain import build_image
    from edgeflow.devices.device import RunLimits
    from edgeflow.devices.registry import device_for

    image = build_image(generate(graph, target.firmware.kernel_set), target)
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    x = np.random.default_rng(seed).integers(-128, 128, (inputs, *shape), dtype=np.int8)
    run = device_for(target).run(image, x, RunLimits())
    layers = tuple(
        layer_run(
            graph, target, layer.node_name, layer.instructions, _flash_bytes(image, layer.symbol)
        )
        for layer in run.layers
        if layer.node_name
    )
    return NetworkRun(run.instructions.astype(np.float64), layers, run.kind, run.source)


def layer_run(
    graph: Graph, target: Target, node_name: str, costs: NDArray[Any], flash_bytes: int
) -> LayerRun:
    """What one layer cost, under its key, with the RAM that it needs."""
    from edgeflow.backends.firmware.kernel_set import library
    from edgeflow.backends.firmware.planner import tensor_bytes
    from edgeflow.graph import cost

    (node,) = (each for each in graph.nodes if each.name == node_name)
    operands = {name: graph.tensors[name] for name in (*node.inputs, *node.outputs)}
    activations = sum(tensor_bytes(t) for t in operands.values() if not t.is_constant)
    kernels = library(target.firmware.kernel_set)
    return LayerRun(
        signature=cost.signature(graph, node),
        precision=cost.precision(graph, node),
        costs=costs.astype(np.float64),
        flash_bytes=flash_bytes,
        ram_bytes=activations + kernels.scratch_bytes(graph, node),
    )


def rows(layers: Iterable[LayerRun]) -> Iterable[Row]:
    """One row for each key, in the order of the keys."""
    by_key: dict[tuple[str, str], list[LayerRun]] = defaultdict(list)
    for layer in layers:
        by_key[layer.signature, layer.precision].append(layer)
    for (signature, precision), found in sorted(by_key.items()):
        costs = np.concatenate([layer.costs for layer in found])
        low, median, high, p95 = np.percentile(costs, (25, 50, 75, 95))
        yield Row(
            signature=signature,
            precision=precision,
            n=len(costs),
            median=_rounded(float(median)),
            p95=_rounded(float(p95)),
            dispersion=round(float((high - low) / median), 6) if median else 0.0,
            flash_bytes=max(layer.flash_bytes for layer in found),
            ram_bytes=max(layer.ram_bytes for layer in found),
        )


def _rounded(value: float) -> float:
    """To one decimal; what is below ten, such as seconds, to four digits."""
    return round(value, 1) if value >= 10 else float(f"{value:.4g}")


def firmware_meter(target: Target) -> Meter:
    """Instructions on the emulated core."""
    measure = partial(run_layers, target)
    return Meter(measure, Unit.INSTRUCTIONS, FIRMWARE_PROTOCOL, runtime(target))


def runtime(target: Target) -> str:
    """What runs the layers, as a profile's header says it."""
    return f"edgeflow {__version__} firmware, kernel set {target.firmware.kernel_set}"


def compiler() -> str:
    """What compiles them, as a profile's header says it."""
    return f"zig cc {version('ziglang')}"


def flags(target: Target) -> tuple[str, ...]:
    """With which flags."""
    return (f"-mcpu={target.toolchain.cpu}", *target.toolchain.flags)


def _flash_bytes(image: FirmwareImage, symbol: str) -> int:
    """Bytes of the layer's function, of its constant arrays and of its constant structs."""
    match = _LAYER_SYMBOL.match(symbol)
    assert match, f"{symbol} is no layer"
    constants = f"edgeflow_{match[1]}_"
    return sum(
        s.size_bytes
        for name, s in image.symbols.items()
        if name == symbol or name.startswith((constants, f"{symbol}."))
    )
