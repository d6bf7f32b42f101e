"""The project that hls4ml writes of a network: C++, constants, and scripts of the vendor's tool."""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeflow.backends.hls.block import Block, HlsNetwork
from edgeflow.errors import MissingToolError, ToolFailedError, UnsupportedOperatorError
from edgeflow.targets.schema import HlsCompiler

PROJECT = "edgeflow_network"
_STAMP = "edgeflow"
# A layer of more constants than a vendor's compiler unrolls shares its multipliers.
_UNROLLED = 4096
_MULTIPLIERS = 256


@dataclass(frozen=True)
class HlsPart:
    """What a project is for: the vendor's compiler, its device and the clock."""

    compiler: HlsCompiler
    device: str
    clock_hz: int


def project_files(network: HlsNetwork, part: HlsPart) -> dict[str, bytes]:
    """Every file of the project by its path, the same for the same network.

    Raises MissingToolError without hls4ml, UnsupportedOperatorError for what its backend lacks.
    """
    with (
        tempfile.TemporaryDirectory(prefix="edgeflow-hls-") as name,
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        # Of its own dependencies, and of types that it takes as they are given.
        warnings.simplefilter("ignore")
        try:
            from hls4ml.model.graph import ModelGraph
        except ImportError as error:
            raise MissingToolError(
                "hls4ml is not installed.", hint="Install it: pip install 'edgeflow[hls]'."
            ) from error
        folder = Path(name) / "project"
        config = _configuration(network, part, folder)
        layers = [_layer(block) for block in network.blocks]
        try:
            model = ModelGraph.from_layer_list(
                config, layers, [network.given.block], [network.answer.block]
            )
        except Exception as error:
            raise UnsupportedOperatorError(
                f"hls4ml has no project of this network for {part.compiler}: {error}",
                hint="See docs/hls.md for what each compiler takes.",
            ) from error
        _require_all(network, set(model.graph))
        with _without_keras():
            model.write()
        return _read(folder, model.config.get_config_value("Stamp"))


@contextlib.contextmanager
def _without_keras() -> Iterator[None]:
    """hls4ml's writer loads TensorFlow, if there is one, to know models that no project here is."""
    if "keras" in sys.modules:
        yield
        return
    modules: dict[str, Any] = sys.modules
    modules["keras"] = None
    try:
        yield
    finally:
        del modules["keras"]


def _require_all(network: HlsNetwork, kept: set[str]) -> None:
    """No scale and no type may have been taken off as doing nothing."""
    lost = [b.name for b in network.blocks if b.kind == "BatchNormalization" and b.name not in kept]
    if lost:
        raise ToolFailedError(
            f"hls4ml took off {', '.join(lost)}.", hint="Report this as a defect."
        )


def _configuration(network: HlsNetwork, part: HlsPart, folder: Path) -> dict[str, Any]:
    from hls4ml.backends import get_backend

    windows = {"Conv2D", "DepthwiseConv2D", "MaxPooling2D"}
    streams = any(block.kind in windows for block in network.blocks)
    backend = get_backend(part.compiler.value)
    config: dict[str, Any] = backend.create_initial_config(
        part=part.device,
        clock_period=1e9 / part.clock_hz,
        io_type="io_stream" if streams else "io_parallel",
    )
    config["OutputDir"] = str(folder)
    config["ProjectName"] = PROJECT
    config["Backend"] = part.compiler.value
    config["HLSConfig"] = {
        "Model": {"Precision": "fixed<8,8>", "ReuseFactor": 1, "Strategy": "Latency"},
        "LayerName": {block.name: _layer_configuration(block) for block in network.blocks},
    }
    return config


def _layer_configuration(block: Block) -> dict[str, Any]:
    types = {name: str(number) for name, number in block.types.items()}
    # There is no other strategy for depthwise convolutions.
    if block.weights <= _UNROLLED or block.kind == "DepthwiseConv2D":
        return {"Precision": types}
    reuse = -(-block.weights // _MULTIPLIERS)
    return {"Precision": types, "Strategy": "Resource", "ReuseFactor": reuse}


def _layer(block: Block) -> dict[str, Any]:
    return {
        "class_name": block.kind,
        "name": block.name,
        "inputs": list(block.inputs),
        **{
            name: value.copy() if isinstance(value, np.ndarray) else value
            for name, value in block.attributes.items()
        },
    }


def _read(folder: Path, stamp: str) -> dict[str, bytes]:
    """With its own folder instead of the private one, and a stamp that says nothing."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        .replace(str(folder).encode(), b".")
        .replace(stamp.encode(), _STAMP.encode())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
