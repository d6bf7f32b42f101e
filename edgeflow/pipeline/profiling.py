"""What the layers of a network cost on a target's device: rows of a profile."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgeflow import __version__
from edgeflow.devices.device import DeviceRun
from edgeflow.graph.ir import Graph
from edgeflow.profiles.schema import Row
from edgeflow.targets.schema import Target

if TYPE_CHECKING:
    from edgeflow.backends.firmware.image import FirmwareImage

_LAYER_SYMBOL = re.compile(r"edgeflow_layer_(\d+)_")


@dataclass(frozen=True, eq=False)
class LayerRun:
    """One layer of one network: its key, instructions [N] and bytes."""

    signature: str
    precision: str
    instructions: NDArray[np.int64]
    flash_bytes: int
    ram_bytes: int


@dataclass(frozen=True, eq=False)
class NetworkRun:
    """A network whole, and layer by layer; no layer ran row by row."""

    device: DeviceRun
    image: FirmwareImage
    layers: tuple[LayerRun, ...]


def run_layers(target: Target, graph: Graph, inputs: int, seed: int) -> NetworkRun:
    """Build a network for a target and run it on the device, on random inputs."""
    from edgeflow.backends.firmware.codegen import generate
    from edgeflow.backends.firmware.kernel_set import library
    from edgeflow.backends.firmware.planner import tensor_bytes
    from edgeflow.backends.firmware.toolchain import build_image
    from edgeflow.devices.device import RunLimits
    from edgeflow.devices.registry import device_for
    from edgeflow.graph import cost

    image = build_image(generate(graph, target.firmware.kernel_set), target)
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    x = np.random.default_rng(seed).integers(-128, 128, (inputs, *shape), dtype=np.int8)
    run = device_for(target).run(image, x, RunLimits())
    kernels = library(target.firmware.kernel_set)
    nodes = {node.name: node for node in graph.nodes}
    layers = []
    for layer in run.layers:
        if layer.node_name:
            node = nodes[layer.node_name]
            operands = {name: graph.tensors[name] for name in (*node.inputs, *node.outputs)}
            activations = sum(tensor_bytes(t) for t in operands.values() if not t.is_constant)
            layers.append(
                LayerRun(
                    signature=cost.signature(graph, node),
                    precision=cost.precision(graph, node),
                    instructions=layer.instructions,
                    flash_bytes=_flash_bytes(image, layer.symbol),
                    ram_bytes=activations + kernels.scratch_bytes(graph, node),
                )
            )
    return NetworkRun(run, image, tuple(layers))


def rows(layers: Iterable[LayerRun]) -> Iterable[Row]:
    """One row for each key, in the order of the keys."""
    by_key: dict[tuple[str, str], list[LayerRun]] = defaultdict(list)
    for layer in layers:
        by_key[layer.signature, layer.precision].append(layer)
    for (signature, precision), found in sorted(by_key.items()):
        counts = np.concatenate([layer.instructions for layer in found])
        low, median, high, p95 = np.percentile(counts, (25, 50, 75, 95))
        yield Row(
            signature=signature,
            precision=precision,
            n=len(counts),
            median=round(float(median), 1),
            p95=round(float(p95), 1),
            dispersion=round(float((high - low) / median), 6) if median else 0.0,
            flash_bytes=max(layer.flash_bytes for layer in found),
            ram_bytes=max(layer.ram_bytes for layer in found),
        )


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
