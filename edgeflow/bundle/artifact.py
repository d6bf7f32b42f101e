"""What of a bundle runs on the target: firmware, a program, a design or a project."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from edgeflow.backends.firmware.source import LayerSymbol
from edgeflow.graph.ir import Graph, OpKind
from edgeflow.targets.schema import HlsCompiler, Target, TargetFamily

if TYPE_CHECKING:
    from edgeflow.backends.firmware.image import FirmwareImage
    from edgeflow.backends.fpga.folder import Hardware
    from edgeflow.backends.fpga.implementation import Implementation
    from edgeflow.backends.fpga.verilog import Design
    from edgeflow.backends.hls.artifact import HlsProject
    from edgeflow.backends.native.program import NativeProgram
    from edgeflow.backends.runtimes.program import RuntimeProgram

FIRMWARE = "firmware"
FIRMWARE_ELF = "firmware/firmware.elf"
FIRMWARE_BIN = "firmware/firmware.bin"
FIRMWARE_LAYERS = "firmware/layers.json"
NATIVE = "native"
RUNTIME = "runtime"
TENSORRT = "tensorrt"
GPU = "gpu"
FPGA = "fpga"
HLS = "hls"
NATIVE_LAYERS = "native/layers.json"
_HLS_COMMANDS = {
    HlsCompiler.VITIS: "vitis-run --mode hls --tcl build_prj.tcl",
    HlsCompiler.QUARTUS: "make edgeflow_network-fpga",
    HlsCompiler.CATAPULT: "catapult -f build_prj.tcl",
}


@dataclass(frozen=True, eq=False)
class Artifact:
    """Files by their paths in the bundle, and the README's template with words of its own."""

    files: Mapping[str, bytes]
    readme: str
    input_bytes: int
    output_bytes: int
    words: Mapping[str, Any]


def firmware_artifact(image: FirmwareImage, sources: Mapping[str, str]) -> Artifact:
    """An image with what it was built from: C sources, startup code and linker script."""
    files = {f"{FIRMWARE}/{name}": text.encode() for name, text in sources.items()}
    files |= {
        FIRMWARE_ELF: image.elf,
        FIRMWARE_BIN: image.bin,
        FIRMWARE_LAYERS: json_bytes(layers_document(image)),
    }
    words = {"load_address": image.load_address}
    return Artifact(files, "README.md.j2", image.input_bytes, image.output_bytes, words)


def native_artifact(
    program: NativeProgram,
    sources: Mapping[str, str],
    graph: Graph,
    target: Target,
    weight_bytes: int,
    gpu_files: Mapping[str, bytes],
) -> Artifact:
    """A library and a runner with the C that they were built from; what there is for a GPU."""
    from edgeflow.backends.native.toolchain import LIBRARY, RUNNER
    from edgeflow.backends.tensorrt.project import project_files

    document = {**layers_document(program), "weight_bytes": weight_bytes}
    files = {f"{NATIVE}/{name}": text.encode() for name, text in sources.items()}
    files |= {
        f"{NATIVE}/{RUNNER}": program.runner,
        f"{NATIVE}/{LIBRARY}": program.library,
        NATIVE_LAYERS: json_bytes(document),
    }
    tensorrt = project_files(graph, target)
    files |= {f"{TENSORRT}/{name}": content for name, content in tensorrt.items()}
    files |= {f"{GPU}/{name}": content for name, content in gpu_files.items()}
    words = {
        "gpu": target.gpu,
        "has_tensorrt": bool(tensorrt),
        "has_kernels": bool(gpu_files),
        "library": LIBRARY,
        "runner": RUNNER,
        "glibc": ".".join(map(str, program.glibc)) if program.glibc else "",
        "linux": target.linux,
        "toolchain": target.toolchain,
    }
    return Artifact(files, "README-linux.md.j2", program.input_bytes, program.output_bytes, words)


def runtime_artifact(
    program: RuntimeProgram, version: str, gpu_files: Mapping[str, bytes]
) -> Artifact:
    """A model for an engine of the system, the script that runs it there, kernels for a GPU."""
    from edgeflow.backends.runtimes.forms import SCRIPT

    contents = {SCRIPT: program.runner, **program.companions}
    files = {f"{RUNTIME}/{name}": content for name, content in contents.items()}
    files |= {f"{GPU}/{name}": content for name, content in gpu_files.items()}
    words = {"engine": program.engine.value, "version": version, "script": SCRIPT}
    sizes = program.input_bytes, program.output_bytes
    return Artifact(files, "README-runtime.md.j2", *sizes, words)


def fpga_artifact(design: Design, found: Implementation, graph: Graph, target: Target) -> Artifact:
    """Verilog with its memories' contents, bitstream, and how to make it again."""
    from edgeflow.backends.fpga.board import SPI_CYCLES
    from edgeflow.backends.fpga.folder import folder_files
    from edgeflow.backends.fpga.network import accelerated, answer_of

    files = folder_files(design, found, target)
    grid = graph.tensors[answer_of(graph)].quantization
    words = {
        "clock_mhz": target.core.clock_hz / 1e6,
        "fmax_mhz": found.fmax_hz / 1e6,
        "host": [node.kind.value for node in graph.nodes[len(accelerated(graph)) :]],
        "grid": grid,
        "board": target.fpga.board if target.fpga else None,
        "spi_hz": target.core.clock_hz // SPI_CYCLES,
    }
    return Artifact(
        {f"{FPGA}/{name}": content for name, content in files.items()},
        "README-fpga.md.j2",
        design.given_bytes,
        design.answer_bytes,
        words,
    )


def hls_artifact(project: HlsProject, graph: Graph, target: Target) -> Artifact:
    """A project for a vendor's high-level synthesis."""
    from edgeflow.backends.fpga.network import accelerated, answer_of
    from edgeflow.backends.hls.artifact import folder_files

    assert target.hls is not None
    words = {
        "compiler": target.hls.compiler.value,
        "device": target.hls.device,
        "command": _HLS_COMMANDS[target.hls.compiler],
        "clock_mhz": target.core.clock_hz / 1e6,
        "host": [node.kind.value for node in graph.nodes[len(accelerated(graph)) :]],
        "grid": graph.tensors[answer_of(graph)].quantization,
        "answer_zero": project.answer_zero,
    }
    return Artifact(
        {f"{HLS}/{name}": content for name, content in folder_files(project).items()},
        "README-hls.md.j2",
        project.given_bytes,
        project.answer_values,
        words,
    )


def layers_document(built: FirmwareImage | NativeProgram) -> dict[str, Any]:
    """What reading an artifact needs beside its ELF files."""
    return {
        "input_bytes": built.input_bytes,
        "output_bytes": built.output_bytes,
        "layers": [asdict(layer) for layer in built.layers],
    }


def read_artifact(
    files: Mapping[str, bytes], target: Target
) -> FirmwareImage | NativeProgram | RuntimeProgram | Hardware | HlsProject:
    """The artifact in a bundle's files. Raises KeyError, ValueError or BundleError."""
    if target.family is TargetFamily.FPGA:
        from edgeflow.backends.fpga.folder import read_hardware

        return read_hardware(_below(files, FPGA))
    if target.family is TargetFamily.HLS:
        from edgeflow.backends.hls.artifact import read_project

        return read_project(_below(files, HLS))
    if target.family is TargetFamily.MICROCONTROLLER:
        return _read_firmware(files)
    runtime = _below(files, RUNTIME)
    if runtime:
        from edgeflow.backends.runtimes.forms import read_runtime_program

        return read_runtime_program(runtime)
    return _read_program(files)


def _below(files: Mapping[str, bytes], folder: str) -> dict[str, bytes]:
    """The files of a folder, by their paths in it."""
    start = f"{folder}/"
    return {n.removeprefix(start): c for n, c in files.items() if n.startswith(start)}


def _read_firmware(files: Mapping[str, bytes]) -> FirmwareImage:
    from edgeflow.backends.firmware.image import read_image

    layers, inputs, outputs = _read_layers(files[FIRMWARE_LAYERS], FIRMWARE_LAYERS)
    return read_image(files[FIRMWARE_ELF], layers, inputs, outputs)


def _read_program(files: Mapping[str, bytes]) -> NativeProgram:
    from edgeflow.backends.native.toolchain import LIBRARY, RUNNER, read_program

    layers, inputs, outputs = _read_layers(files[NATIVE_LAYERS], NATIVE_LAYERS)
    return read_program(
        files[f"{NATIVE}/{RUNNER}"], files[f"{NATIVE}/{LIBRARY}"], layers, inputs, outputs
    )


def _read_layers(content: bytes, name: str) -> tuple[tuple[LayerSymbol, ...], int, int]:
    try:
        document = json.loads(content)
        layers = tuple(
            LayerSymbol(**{**row, "kind": OpKind(row["kind"])}) for row in document["layers"]
        )
        return layers, int(document["input_bytes"]), int(document["output_bytes"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from error


def json_bytes(document: Any) -> bytes:
    """A JSON document as a file's content."""
    return (json.dumps(document, indent=2, sort_keys=True) + "\n").encode()
