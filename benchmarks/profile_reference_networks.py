"""Write a target's shipped profile: `python -m benchmarks.profile_reference_networks --target X`.

Every layer of the reference networks runs on the target's device; rows are keyed by signature.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.reference_networks import REFERENCES, SEED, Reference, lowered
from edgeflow import __version__
from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.devices.device import DeviceRun
from edgeflow.errors import EdgeflowError
from edgeflow.figures import Unit
from edgeflow.graph.cost import WEIGHTED_KINDS
from edgeflow.graph.ir import Graph
from edgeflow.profiles.schema import SCHEMA_VERSION, Header, Profile, Row
from edgeflow.targets import registry
from edgeflow.targets.schema import Target

NAME = "reference-networks"
INPUTS = 5
_FOLDER = Path(__file__).resolve().parent.parent / "profiles"
_LAYER_SYMBOL = re.compile(r"edgeflow_layer_(\d+)_")
_PROTOCOL = (
    f"Every layer of {', '.join(r.network for r in REFERENCES)}: untrained networks (seed {SEED}) "
    f"with grids from random inputs, {INPUTS} random inputs each; layers with weights once for "
    "each width of weights that the target runs. Instructions from a layer's "
    "entry to its return, the functions that it calls included; instructions hardly depend on "
    "values, so weights and inputs need no training. Median, 95th percentile and interquartile "
    "range over median of all runs of layers with that signature. flash_bytes: the layer's "
    "constants and its own function; the kernels, which layers share, are not counted. ram_bytes: "
    "the layer's inputs, its output and the scratch of its kernel."
)


@dataclass(frozen=True, eq=False)
class LayerRun:
    """One layer of one network: its key, instructions [N] and bytes."""

    signature: str
    precision: str
    instructions: NDArray[np.int64]
    flash_bytes: int
    ram_bytes: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the profiles of the targets; gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.profile_reference_networks", description=__doc__
    )
    parser.add_argument("--target", action="append", metavar="NAME", required=True)
    parser.add_argument("--date", type=date.fromisoformat, default=datetime.now(UTC).date())
    parser.add_argument("--folder", type=Path, default=_FOLDER, help="default: profiles/")
    options = parser.parse_args(arguments)
    try:
        for name in options.target:
            made = profile(registry.load(name), REFERENCES, options.date)
            path = options.folder / made.header.target / f"{NAME}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            text = made.model_dump_json(indent=1) + "\n"
            path.write_text(text, encoding="utf-8", newline="\n")
            sys.stderr.write(f"{path}: {len(made.rows)} rows\n")
    except EdgeflowError as error:
        sys.stderr.write(f"{error.message}\n{error.hint}\n")
        return int(error.exit_code)
    return 0


def profile(target: Target, references: Sequence[Reference], day: date) -> Profile:
    """The profile of a target from runs on its device: the same every time but for `day`."""
    runs: list[LayerRun] = []
    device: DeviceRun | None = None
    for reference in references:
        for bits in _weight_bits(target):
            device, layers = _run(target, lowered(reference, bits))
            runs += [layer for layer in layers if bits == 8 or layer.precision != "w8a8"]
    assert device is not None, "no reference networks"
    return Profile(
        schema_version=SCHEMA_VERSION,
        name=NAME,
        header=Header(
            target=target.name,
            device=device.source,
            runtime=f"edgeflow {__version__} firmware, kernel set {target.firmware.kernel_set}",
            compiler=f"zig cc {version('ziglang')}",
            flags=(f"-mcpu={target.toolchain.cpu}", *target.toolchain.flags),
            date=day,
            protocol=_PROTOCOL,
            kind=device.kind,
            unit=Unit.INSTRUCTIONS,
            command=shlex.join(
                ["python", "-m", "benchmarks.profile_reference_networks", "--target", target.name]
            ),
        ),
        rows=tuple(_rows(runs)),
    )


def _weight_bits(target: Target) -> tuple[int, ...]:
    """Widths that every operator with weights of the target runs, the widest first."""
    widths = [set(o.weight_bits) for o in target.operators if o.kind in WEIGHTED_KINDS]
    return tuple(sorted(set.intersection(*widths), reverse=True))


def _run(target: Target, graph: Graph) -> tuple[DeviceRun, list[LayerRun]]:
    """One network on the device of a target."""
    from edgeflow.backends.firmware.codegen import generate
    from edgeflow.backends.firmware.kernel_set import library
    from edgeflow.backends.firmware.planner import tensor_bytes
    from edgeflow.backends.firmware.toolchain import build_image
    from edgeflow.devices.device import RunLimits
    from edgeflow.devices.registry import device_for
    from edgeflow.graph import cost

    image = build_image(generate(graph, target.firmware.kernel_set), target)
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    x = np.random.default_rng(SEED).integers(-128, 128, (INPUTS, *shape), dtype=np.int8)
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
    return run, layers


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


def _rows(runs: Iterable[LayerRun]) -> Iterable[Row]:
    """One row for each key, in the order of the keys."""
    by_key: dict[tuple[str, str], list[LayerRun]] = defaultdict(list)
    for run in runs:
        by_key[run.signature, run.precision].append(run)
    for (signature, precision), layers in sorted(by_key.items()):
        counts = np.concatenate([layer.instructions for layer in layers])
        low, median, high, p95 = np.percentile(counts, (25, 50, 75, 95))
        yield Row(
            signature=signature,
            precision=precision,
            n=len(counts),
            median=round(float(median), 1),
            p95=round(float(p95), 1),
            dispersion=round(float((high - low) / median), 6) if median else 0.0,
            flash_bytes=max(layer.flash_bytes for layer in layers),
            ram_bytes=max(layer.ram_bytes for layer in layers),
        )


if __name__ == "__main__":
    sys.exit(main())
