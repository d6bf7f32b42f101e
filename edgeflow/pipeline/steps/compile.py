"""Stage compile: the sources as a firmware image for the target, and as a library of this host."""

from __future__ import annotations

from pathlib import Path

from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.backends.firmware.source import LayerSymbol
from edgeflow.graph.ir import OpKind
from edgeflow.pipeline.engines import ENGINES
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.files import read_document, write_document
from edgeflow.pipeline.steps.generate import SOURCE, read_source
from edgeflow.progress import ProgressEvent

ELF = "firmware.elf"
LAYERS = "layers.json"
ARENA = "arena.json"
FIRMWARE_FILES = "firmware_files.json"
HOST = "host.json"
HOST_LIBRARY = "host.library"


def run(context: StageContext) -> None:
    """Compile and link."""
    from edgeflow.bundle.artifact import layers_document

    source = read_source(context.inputs["generate"] / SOURCE)
    target, options = context.plan.target, context.plan.config.build.engine_options()
    context.progress(ProgressEvent("compile", f"firmware for {target.name}"))
    built = ENGINES[options.engine].build(source, target, options, context.progress)
    (context.output / ELF).write_bytes(built.image.elf)
    write_document(context.output / LAYERS, layers_document(built.image))
    write_document(context.output / FIRMWARE_FILES, dict(built.files))
    write_document(context.output / ARENA, {"arena_bytes": built.arena_bytes})
    if built.host is not None:
        (context.output / HOST_LIBRARY).write_bytes(built.host.library)
        write_document(context.output / HOST, {"suffix": built.host.suffix})


def read_arena_bytes(folder: Path) -> int:
    """The size of the arena that the image's memory plan, or its interpreter, uses."""
    return int(read_document(folder / ARENA)["arena_bytes"])


def read_firmware(folder: Path) -> FirmwareImage:
    """The firmware image that this stage wrote."""
    from edgeflow.backends.firmware.image import read_image

    document = read_document(folder / LAYERS)
    layers = tuple(
        LayerSymbol(**{**row, "kind": OpKind(row["kind"])}) for row in document["layers"]
    )
    return read_image(
        (folder / ELF).read_bytes(), layers, document["input_bytes"], document["output_bytes"]
    )
