"""The engines of a build: how each makes sources of a model, and an image of the sources."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from edgeflow.backends.engine import Engine, EngineOptions
from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.backends.firmware.segment import Segment
from edgeflow.backends.firmware.source import SourceTree
from edgeflow.errors import ConfigError
from edgeflow.graph.ir import Graph
from edgeflow.progress import Progress
from edgeflow.targets.schema import MemoryKind, Target

if TYPE_CHECKING:
    from edgeflow.backends.firmware.toolchain import HostLibrary
    from edgeflow.backends.tflm.checkout import Checkout

_OTHER_STATIC_BYTES = 8 * 1024  # beside TFLM's arena: interpreter, resolver, C library
_SYSTEM_PACKAGES = ("ai-edge-litert", "tflite-runtime", "onnxruntime", "apache-tvm")
_LARGEST_ARENA_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, eq=False)
class BuiltFirmware:
    """An image, the files of ours that it was built from, and the size of its arena.

    `host` is the same code as a library of this host; None for an engine that has none.
    """

    image: FirmwareImage
    files: Mapping[str, str]
    arena_bytes: int
    host: HostLibrary | None


@dataclass(frozen=True)
class EngineSteps:
    """What an engine does in the stages generate and compile.

    Segments, the parts that run row by row, are for our own. `constants` is what its constants in
    flash are; `remark` what a user should know who sees its answers differ from the interpreter's.
    """

    generate: Callable[[bytes, Graph, Target, EngineOptions, tuple[Segment, ...]], SourceTree]
    build: Callable[[SourceTree, Target, EngineOptions, Progress], BuiltFirmware]
    constants: str
    remark: str


def checkout_of(options: EngineOptions) -> Checkout:
    """The checkouts that the options name. Raises EngineError where they lack files."""
    from edgeflow.backends.tflm.checkout import find_checkout

    if options.tflm_path is None or options.cmsis_nn_path is None:
        raise ConfigError(
            "engine = 'tflm' needs checkouts of TensorFlow Lite Micro and CMSIS-NN",
            hint="name them with --tflm-path and --cmsis-nn-path",
        )
    headers = [Path(name) for name in options.tflm_include]
    return find_checkout(Path(options.tflm_path), Path(options.cmsis_nn_path), headers)


def engine_digest(options: EngineOptions, target: Target) -> str | None:
    """The sha256 over the content of another engine's checkouts; None for our own.

    Raises ConfigError for a target that the engine is not for, EngineError for unfit checkouts.
    """
    if options.engine is Engine.EDGEFLOW:
        return None
    from edgeflow.backends.tflm.checkout import digest
    from edgeflow.backends.tflm.compiler import core_flags

    core_flags(target)
    return digest(checkout_of(options))


def engine_compiler(options: EngineOptions) -> str | None:
    """The version of the compiler that an engine brings; None for our own, which is a package."""
    if options.engine is Engine.EDGEFLOW:
        return None
    from edgeflow.backends.tflm.compiler import version

    return version()


def system_engines() -> dict[str, str | None]:
    """The versions of what this machine has to race against ours; None for what is absent."""
    return {name: _installed(name) for name in _SYSTEM_PACKAGES}


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _generate_own(
    model: bytes,
    graph: Graph,
    target: Target,
    options: EngineOptions,
    segments: tuple[Segment, ...],
) -> SourceTree:
    from edgeflow.backends.firmware.codegen import generate

    return generate(graph, target.firmware.kernel_set, segments)


def _build_own(
    source: SourceTree, target: Target, options: EngineOptions, progress: Progress
) -> BuiltFirmware:
    from edgeflow.backends.firmware.toolchain import (
        build_host_library,
        build_image,
        firmware_files,
    )

    return BuiltFirmware(
        image=build_image(source, target),
        files=firmware_files(source, target),
        arena_bytes=source.arena_bytes,
        host=build_host_library(source),
    )


def _generate_tflm(
    model: bytes,
    graph: Graph,
    target: Target,
    options: EngineOptions,
    segments: tuple[Segment, ...],
) -> SourceTree:
    from edgeflow.backends.tflm.glue import generate
    from edgeflow.exchange import tflite

    return generate(model, tflite.read(model), checkout_of(options))


def _build_tflm(
    source: SourceTree, target: Target, options: EngineOptions, progress: Progress
) -> BuiltFirmware:
    from edgeflow.backends.tflm import build, glue
    from edgeflow.devices.registry import device_for
    from edgeflow.devices.tflm_arena import find_arena

    checkout = checkout_of(options)
    kinds = tuple(dict.fromkeys(layer.kind for layer in source.layers))
    library = build.objects(checkout, kinds, target, progress)
    ram = target.region(MemoryKind.RAM).size_bytes
    largest = min(ram - target.firmware.stack_bytes - _OTHER_STATIC_BYTES, _LARGEST_ARENA_BYTES)
    with tempfile.TemporaryDirectory(prefix="edgeflow-build-") as name:
        workshop = Path(name)

        def probe(arena_bytes: int) -> FirmwareImage:
            sized = glue.probe(glue.with_arena(source, arena_bytes))
            return build.build_image(sized, library, checkout, target, workshop)

        rounded = largest // glue.ALIGNMENT_BYTES * glue.ALIGNMENT_BYTES
        need = find_arena(probe, device_for(target), rounded)
        program = glue.model(glue.with_arena(source, need.bytes))
        image = build.build_image(program, library, checkout, target, workshop)
    return BuiltFirmware(
        image=image,
        files=build.image_files(program, target),
        arena_bytes=need.used_bytes,
        host=None,
    )


ENGINES: Mapping[Engine, EngineSteps] = MappingProxyType(
    {
        Engine.EDGEFLOW: EngineSteps(_generate_own, _build_own, "weights in flash", ""),
        Engine.TFLM: EngineSteps(
            _generate_tflm,
            _build_tflm,
            "model file in flash",
            "TensorFlow Lite Micro with CMSIS-NN does not compute every operator as LiteRT's "
            "reference kernels do, which the integer graph follows: its FULLY_CONNECTED rounds "
            "twice where they round once, so that answers may differ in their last bits",
        ),
    }
)
