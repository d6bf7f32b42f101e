"""From generated C to a program for Linux: a static runner, and a library with its header."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import cache
from importlib.resources import files as resource_files
from pathlib import Path

from edgeflow.backends.firmware.compiler import CompilerError, run_compiler
from edgeflow.backends.firmware.source import LayerSymbol, SourceTree
from edgeflow.backends.firmware.source_files import write_source_files
from edgeflow.backends.native.elf import read_elf
from edgeflow.backends.native.program import NativeProgram, whole_layers
from edgeflow.errors import DoesNotFitError, ToolFailedError
from edgeflow.targets.schema import MemoryKind, Target

RUNNER = "edgeflow_runner"
LIBRARY = "libedgeflow_model.so"

_RUNNER_SOURCES = ("edgeflow_runner.c", "edgeflow_layer_table.h")
_TABLE = "edgeflow_layer_table.c"
_COMPILE_FLAGS = (
    "-std=c99",
    "-fno-lto",
    "-fno-sanitize=all",
    "-fno-ident",
    "-g0",
    "-ffunction-sections",
    "-fdata-sections",
    "-I.",
)
_LINK_FLAGS = ("-Wl,--gc-sections", "-Wl,--build-id=none", "-Wl,-s")
_ERROR_LINES = 12


def program_files(source: SourceTree) -> dict[str, str]:
    """What the program is built from: the model's C, the runner, and the table of layers."""
    runner = {name: _runner_text(name) for name in _RUNNER_SOURCES}
    return {**source.files, **runner, _TABLE: _layer_table(source)}


def build_program(source: SourceTree, target: Target) -> NativeProgram:
    """Compile a model for a Linux target. The same inputs give the same bytes everywhere.

    Raises DoesNotFitError where the system lacks what the library asks for or memory for the
    runner, ToolFailedError with the compiler's first errors, MissingToolError without a compiler.
    """
    files = program_files(source)
    model = sorted(name for name in source.files if name.endswith(".c"))
    with tempfile.TemporaryDirectory(prefix="edgeflow-build-") as name:
        directory = Path(name)
        write_source_files(directory, files)
        runner = [*_static(target), *model, "edgeflow_runner.c", _TABLE, "-o", RUNNER]
        library = [*_shared(target), *model, "-o", LIBRARY]
        _compile(runner, directory, f"the runner for {target.name}")
        _compile(library, directory, f"the library for {target.name}")
        runner_bytes = (directory / RUNNER).read_bytes()
        library_bytes = (directory / LIBRARY).read_bytes()
    sizes = source.input_bytes, source.output_bytes
    program = read_program(runner_bytes, library_bytes, source.layers, *sizes)
    require_fitting(program, target)
    return program


def read_program(
    runner: bytes,
    library: bytes,
    layers: tuple[LayerSymbol, ...],
    input_bytes: int,
    output_bytes: int,
) -> NativeProgram:
    """The program that two ELF files hold; raises BundleError for files that are none."""
    executable, shared = read_elf(runner), read_elf(library)
    return NativeProgram(
        runner=runner,
        library=library,
        instruction_set=executable.instruction_set,
        layers=layers,
        input_bytes=input_bytes,
        output_bytes=output_bytes,
        library_bytes=len(library),
        memory_bytes=executable.memory_bytes,
        glibc=shared.glibc,
    )


def require_fitting(program: NativeProgram, target: Target) -> None:
    """Raise DoesNotFitError with the figures where the target's system has less than is needed."""
    assert target.linux is not None
    offered = target.linux.glibc_version
    if program.glibc is not None and program.glibc > offered:
        needed = ".".join(map(str, program.glibc))
        raise DoesNotFitError(
            f"The library needs glibc {needed}, and {target.name} ({target.linux.distribution}) "
            f"has {target.linux.glibc}.",
            hint="Name the system's version in [toolchain] triple, such as "
            f"x86_64-linux-gnu.{target.linux.glibc}.",
        )
    for kind, needed_bytes in (
        (MemoryKind.FLASH, len(program.runner) + program.library_bytes),
        (MemoryKind.RAM, program.memory_bytes),
    ):
        region = target.region(kind)
        if needed_bytes > region.size_bytes:
            raise DoesNotFitError(
                f"The program does not fit {target.name}. '{region.name}': {needed_bytes} bytes "
                f"needed, {region.size_bytes} available.",
                hint="Use a smaller network or a target with more memory.",
            )


def _static(target: Target) -> list[str]:
    """Flags of the runner: musl in the place of the system's C library, linked in."""
    system, _, _ = target.toolchain.triple.rpartition("-")
    return [*_machine(target, f"{system}-musl"), "-static", *_COMPILE_FLAGS, *_LINK_FLAGS]


def _shared(target: Target) -> list[str]:
    flags = ["-shared", "-fPIC", f"-Wl,-soname,{LIBRARY}"]
    return [*_machine(target, target.toolchain.triple), *flags, *_COMPILE_FLAGS, *_LINK_FLAGS]


def _machine(target: Target, triple: str) -> list[str]:
    chain = target.toolchain
    return ["-target", triple, f"-mcpu={chain.cpu}", *chain.flags]


def _compile(arguments: Sequence[str], directory: Path, what: str) -> None:
    try:
        run_compiler(arguments, directory)
    except CompilerError as error:
        lines = [line for line in error.output.splitlines() if line.strip()]
        errors = [line for line in lines if "error:" in line] or lines
        raise ToolFailedError(
            f"Compiling {what} failed:\n" + "\n".join(errors[:_ERROR_LINES]),
            hint="Report this as a defect, unless source or target file were edited.",
        ) from error


def _layer_table(source: SourceTree) -> str:
    """C of `edgeflow_layer_table.h`; without layers where some run only for bands of rows."""
    symbols = [layer.symbol for layer in whole_layers(source.layers)]
    declared = "".join(f"void {symbol}(void);\n" for symbol in symbols)
    rows = "".join(f"    {symbol},\n" for symbol in symbols) or "    NULL,\n"
    return (
        f'#include "edgeflow_layer_table.h"\n\n{declared}\n'
        f"const size_t edgeflow_layer_count = {len(symbols)};\n\n"
        f"void (*const edgeflow_layer_functions[])(void) = {{\n{rows}}};\n"
    )


@cache
def _runner_text(name: str) -> str:
    return (resource_files("edgeflow.backends.native") / "runner" / name).read_text("utf-8")
