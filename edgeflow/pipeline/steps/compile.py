"""Stage compile: the sources as a firmware image for the target, and as a library of this host."""

from __future__ import annotations

from pathlib import Path

from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.backends.firmware.source import LayerSymbol
from edgeflow.graph.ir import OpKind
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.files import read_document, write_document
from edgeflow.pipeline.steps.generate import SOURCE, read_source
from edgeflow.progress import ProgressEvent

ELF = "firmware.elf"
LAYERS = "layers.json"
FIRMWARE_FILES = "firmware_files.json"
HOST = "host.json"
HOST_LIBRARY = "host.library"


def run(context: StageContext) -> None:
    """Compile and link."""
    from edgeflow.backends.firmware.toolchain import (
        build_host_library,
        build_image,
        firmware_files,
    )
    from edgeflow.bundle.assemble import layers_document

    source = read_source(context.inputs["generate"] / SOURCE)
    target = context.plan.target
    context.progress(ProgressEvent("compile", f"firmware for {target.name}", 0, 2))
    image = build_image(source, target)
    (context.output / ELF).write_bytes(image.elf)
    write_document(context.output / LAYERS, layers_document(image))
    write_document(context.output / FIRMWARE_FILES, firmware_files(source, target))
    context.progress(ProgressEvent("compile", "library for this host", 1, 2))
    library = build_host_library(source)
    (context.output / HOST_LIBRARY).write_bytes(library.library)
    write_document(context.output / HOST, {"suffix": library.suffix})


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
