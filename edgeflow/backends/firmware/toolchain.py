"""From generated C to a linked image for a target, or to a library for this host."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as resource_files
from pathlib import Path

from edgeflow.backends.firmware.compiler import CompilerError, run_compiler
from edgeflow.backends.firmware.image import FirmwareImage, read_image
from edgeflow.backends.firmware.source import SourceTree
from edgeflow.backends.firmware.source_files import write_source_files
from edgeflow.errors import DoesNotFitError, TargetFileError, ToolFailedError
from edgeflow.targets.schema import InstructionSet, MemoryKind, MemoryRegion, Target

LINKER_SCRIPT = "boot/link.ld"

_STARTUP = {InstructionSet.THUMB: "startup.c", InstructionSet.RISCV: "startup_riscv.c"}
_BOOT_SOURCES = ("edgeflow_boot.h", "string.h", "harness.c", "memory.c")
_STACK_ALIGNMENT_BYTES = {InstructionSet.THUMB: 8, InstructionSet.RISCV: 16}
_COMPILE_FLAGS = (
    "-std=c99",
    "-ffreestanding",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-lto",
    "-fno-pic",
    "-fno-stack-protector",
    "-fomit-frame-pointer",
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    "-fno-sanitize=all",
    "-fno-ident",
    "-g0",
    "-I.",
    "-Iboot",
)
_LINK_FLAGS = ("-Wl,--gc-sections", "-Wl,--build-id=none", "-Wl,-z,max-page-size=4096", "-fno-lto")
_HOST_FLAGS = ("-std=c99", "-O2", "-fPIC", "-fno-lto", "-fno-sanitize=all", "-g0", "-I.")
_UNKNOWN_PROCESSOR = re.compile(r"(?:unknown [\w ]+:|unable to parse target)[^\n]*", re.IGNORECASE)
_REGION_OVERFLOW = re.compile(r"will not fit in region")
_LARGEST_LINK_BYTES = 0x10000000
_ERROR_LINES = 12


@dataclass(frozen=True)
class HostLibrary:
    """The model as a shared library of this host: the file and its buffer sizes in bytes."""

    library: bytes
    suffix: str
    input_bytes: int
    output_bytes: int


def firmware_files(source: SourceTree, target: Target) -> dict[str, str]:
    """What the image is built from: the model's C, startup code, harness, linker script."""
    boot = {f"boot/{name}": _boot_text(name) for name in _boot_sources(target)}
    script = render_linker_script(target, *_placement(target))
    return {**source.files, **boot, LINKER_SCRIPT: script}


def render_linker_script(target: Target, flash: MemoryRegion, ram: MemoryRegion) -> str:
    """The linker script that places firmware in `flash` and `ram`."""
    from jinja2 import Environment, StrictUndefined

    template = Environment(undefined=StrictUndefined, keep_trailing_newline=True).from_string(
        _boot_text("link.ld.j2")
    )
    return template.render(
        target_name=target.name,
        flash_origin=flash.origin,
        flash_bytes=flash.size_bytes,
        ram_origin=ram.origin,
        ram_bytes=ram.size_bytes,
        stack_bytes=stack_bytes(target),
    )


def stack_bytes(target: Target) -> int:
    """The stack that the image reserves: the target's, rounded up to the ABI's alignment."""
    alignment = _STACK_ALIGNMENT_BYTES[target.core.instruction_set]
    return -(-target.firmware.stack_bytes // alignment) * alignment


def build_image(source: SourceTree, target: Target) -> FirmwareImage:
    """Cross-compile and link a model for a target. The same inputs give the same bytes everywhere.

    Raises DoesNotFitError with the figures of every region when the target's memory is too small,
    ToolFailedError with the compiler's first errors when the C does not compile, MissingToolError
    when the compiler is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="edgeflow-build-") as name:
        directory = Path(name)
        write_source_files(directory, firmware_files(source, target))
        objects = [_compile(directory, p, target) for p in _target_files(source)]
        objects += [
            _compile(directory, f"boot/{p}", target)
            for p in _boot_sources(target)
            if p[-2:] == ".c"
        ]
        try:
            elf = _link(directory, objects, target, LINKER_SCRIPT)
        except CompilerError as error:
            if not _REGION_OVERFLOW.search(error.output):
                raise _tool_failed("Linking the firmware failed", error) from error
            raise _does_not_fit(
                _link_oversized(directory, objects, source, target), target
            ) from None
    return read_image(elf, source.layers, source.input_bytes, source.output_bytes)


def build_host_library(source: SourceTree) -> HostLibrary:
    """Compile the same C as a shared library of this host.

    Raises ToolFailedError with the compiler's first errors, MissingToolError without a compiler.
    """
    suffix = ".dll" if os.name == "nt" else ".so"
    with tempfile.TemporaryDirectory(prefix="edgeflow-build-") as name:
        directory = Path(name)
        write_source_files(directory, source.files)
        output = f"model{suffix}"
        try:
            run_compiler(["-shared", *_HOST_FLAGS, "-o", output, *_c_files(source)], directory)
        except CompilerError as error:
            raise _tool_failed("Compiling the model for this host failed", error) from error
        library = (directory / output).read_bytes()
    return HostLibrary(library, suffix, source.input_bytes, source.output_bytes)


def _placement(target: Target) -> tuple[MemoryRegion, MemoryRegion]:
    return target.region(MemoryKind.FLASH), target.region(MemoryKind.RAM)


def _boot_sources(target: Target) -> tuple[str, ...]:
    return (_STARTUP[target.core.instruction_set], *_BOOT_SOURCES)


def _c_files(source: SourceTree) -> list[str]:
    return sorted(path for path in source.files if path.endswith(".c"))


def _target_files(source: SourceTree) -> list[str]:
    """C and assembler; the latter has C twins for hosts, which are empty on a target."""
    return sorted(path for path in source.files if path.endswith((".c", ".S")))


def _machine_flags(target: Target) -> list[str]:
    return ["-target", target.toolchain.triple, f"-mcpu={target.toolchain.cpu}"]


def _compile(directory: Path, path: str, target: Target) -> str:
    output = f"{path}.o"
    builtin = ["-fno-builtin"] if path == "boot/memory.c" else []
    arguments = [
        *_machine_flags(target),
        *_COMPILE_FLAGS,
        *target.toolchain.flags,
        *builtin,
        "-c",
        path,
        "-o",
        output,
    ]
    try:
        run_compiler(arguments, directory)
    except CompilerError as error:
        if unknown := _UNKNOWN_PROCESSOR.search(error.output):
            raise _unknown_processor(unknown[0].strip(), target) from error
        raise _tool_failed(f"Compiling {path} for {target.name} failed", error) from error
    return output


def _unknown_processor(told: str, target: Target) -> TargetFileError:
    chain = target.toolchain
    return TargetFileError(
        f"Target {target.name}: the compiler does not know its processor: {told} (toolchain.cpu = "
        f"{chain.cpu!r}, toolchain.triple = {chain.triple!r}).",
        hint="Correct [toolchain] in the target file; a target that works has cpu = "
        "'cortex_m4+soft_float' and triple = 'thumb-freestanding-eabi'.",
    )


def _link(directory: Path, objects: list[str], target: Target, script: str) -> bytes:
    # Told to optimize for size, the linker's driver strips the symbols.
    flags = [flag for flag in target.toolchain.flags if not flag.startswith("-O")]
    arguments = [*_machine_flags(target), *flags, *_LINK_FLAGS]
    run_compiler([*arguments, f"-Wl,-T,{script}", "-o", "firmware.elf", *objects], directory)
    return (directory / "firmware.elf").read_bytes()


def _link_oversized(
    directory: Path, objects: list[str], source: SourceTree, target: Target
) -> FirmwareImage:
    """The image as it would be with memory enough: what tells by how much it does not fit."""
    flash, ram = (
        region.model_copy(update={"size_bytes": min(_LARGEST_LINK_BYTES, 2**32 - region.origin)})
        for region in _placement(target)
    )
    write_source_files(directory, {"oversized.ld": render_linker_script(target, flash, ram)})
    try:
        elf = _link(directory, objects, target, "oversized.ld")
    except CompilerError as error:
        raise _tool_failed("Linking the firmware failed", error) from error
    return read_image(elf, source.layers, source.input_bytes, source.output_bytes)


def _does_not_fit(image: FirmwareImage, target: Target) -> DoesNotFitError:
    flash, ram = _placement(target)
    needs = ((flash, image.flash_bytes), (ram, image.ram_bytes + image.stack_bytes))
    parts = [
        f"{region.kind} '{region.name}': {needed} bytes needed, {region.size_bytes} available, "
        + (
            f"over by {needed - region.size_bytes}"
            if needed > region.size_bytes
            else f"{region.size_bytes - needed} left"
        )
        for region, needed in needs
    ]
    return DoesNotFitError(
        f"The firmware does not fit {target.name}. {'; '.join(parts)}"
        f" (RAM counts {image.stack_bytes} bytes of stack).",
        hint="Use a smaller network or a target with more memory; with too little RAM, let layers "
        'run row by row ([memory] row_by_row = "auto", the default, or "least-ram").',
    )


def _tool_failed(what: str, error: CompilerError) -> ToolFailedError:
    lines = [line for line in error.output.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line] or lines
    return ToolFailedError(
        f"{what}:\n" + "\n".join(errors[:_ERROR_LINES]),
        hint="Report this as a defect unless the source was edited.",
    )


@cache
def _boot_text(name: str) -> str:
    return (resource_files("edgeflow.backends.firmware") / "boot" / name).read_text("utf-8")
