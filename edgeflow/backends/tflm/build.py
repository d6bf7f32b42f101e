"""From the wrapper and the checkouts to a linked image; objects of the checkouts are kept.

The first build for a core compiles both projects, which takes minutes. Later ones only link.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from edgeflow.backends.firmware.compiler import CompilerError, tool_cache
from edgeflow.backends.firmware.image import FirmwareImage, read_image
from edgeflow.backends.firmware.source import SourceTree
from edgeflow.backends.firmware.toolchain import LINKER_SCRIPT, firmware_files
from edgeflow.backends.tflm import compiler
from edgeflow.backends.tflm.checkout import Checkout, digest
from edgeflow.backends.tflm.compiler import CPP, C, compile_flags, link_flags, run_gcc
from edgeflow.backends.tflm.sources import CORE_LEVEL, KERNEL_LEVEL, SourceFile, source_files
from edgeflow.errors import DoesNotFitError, ToolFailedError
from edgeflow.graph.ir import OpKind
from edgeflow.progress import Progress, ProgressEvent, silent
from edgeflow.targets.schema import Target

# The C library brings its own, and its header.
_NOT_BOOT = frozenset({"boot/memory.c", "boot/string.h"})
_OVERFLOW = re.compile(r"region `\w+' overflowed by \d+ bytes")
_ERROR_LINES = 12


def image_files(source: SourceTree, target: Target) -> dict[str, str]:
    """What of an image is ours: wrapper, startup code, harness, linker script."""
    files = firmware_files(source, target)
    return {name: text for name, text in files.items() if name not in _NOT_BOOT}


def objects(
    checkout: Checkout, wanted: Sequence[OpKind], target: Target, progress: Progress = silent
) -> tuple[Path, ...]:
    """The compiled files of both projects for some operators, from the cache where they are there.

    Raises MissingToolError without compiler or C++ library, ToolFailedError with the compiler's
    first errors, EngineError where the checkout lacks a kernel.
    """
    files = source_files(checkout, wanted)
    folder = tool_cache("tflm") / _library_key(checkout, target)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="edgeflow-tflm-") as name:
        compiler.require_library(target, Path(name))
    absent = [file for file in files if not _object(folder, file).is_file()]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        compiled = pool.map(lambda file: _compile(checkout, file, target, folder), absent)
        for done, _ in enumerate(compiled):
            progress(ProgressEvent("compile", f"TFLM for {target.name}", done, len(absent)))
    return tuple(_object(folder, file) for file in files)


def build_image(
    source: SourceTree,
    library: Sequence[Path],
    checkout: Checkout,
    target: Target,
    workshop: Path,
) -> FirmwareImage:
    """Compile the wrapper and link it with the objects of both projects.

    `workshop` is a private folder: what has not changed there since the last image is not compiled
    again. Raises DoesNotFitError with what the linker says, ToolFailedError with the first errors.
    Layers are left out where the checkout's version runs them otherwise than is known here.
    """
    files = image_files(source, target)
    for path, text in files.items():
        (workshop / path).parent.mkdir(parents=True, exist_ok=True)
        (workshop / path).write_text(text, encoding="utf-8", newline="\n")
    headers = "\0".join(text for path, text in sorted(files.items()) if path.endswith(".h"))
    own = [
        _compile_own(workshop, path, f"{headers}\0{text}", checkout, target)
        for path, text in sorted(files.items())
        if path.endswith((".c", ".cc"))
    ]
    elf = _link(workshop, own, library, target)
    image = read_image(elf, (), source.input_bytes, source.output_bytes)
    known = all(layer.caller in image.symbols for layer in source.layers)
    return replace(image, layers=source.layers if known else ())


def _link(directory: Path, own: Sequence[str], library: Sequence[Path], target: Target) -> bytes:
    arguments = [*link_flags(target), f"-Wl,-T,{LINKER_SCRIPT}", "-o", "firmware.elf", *own]
    listed = "\n".join(f'"{path}"' for path in library)
    (directory / "library.rsp").write_text(listed, encoding="utf-8")
    try:
        run_gcc(CPP, [*arguments, "@library.rsp", "-lm"], directory)
    except CompilerError as error:
        overflow = _OVERFLOW.findall(error.output)
        if overflow:
            raise DoesNotFitError(
                f"TFLM's firmware does not fit {target.name}: {'; '.join(overflow)}.",
                hint="Use a smaller network or a target with more memory.",
            ) from None
        raise _failed("Linking TFLM's firmware", error) from error
    return (directory / "firmware.elf").read_bytes()


def _compile_own(
    workshop: Path, path: str, material: str, checkout: Checkout, target: Target
) -> str:
    """The object of a file of ours, named after `material`: all that it is made from here.

    Startup code and harness see no headers of the checkouts.
    """
    name = f"{path}.{hashlib.sha256(material.encode()).hexdigest()[:16]}.o"
    if (workshop / name).is_file():
        return name
    program = CPP if path.endswith(".cc") else C
    includes = [f"-I{folder}" for folder in checkout.includes] if program == CPP else []
    level = KERNEL_LEVEL if path.startswith("boot/") else CORE_LEVEL
    flags = [*compile_flags(program, target), level, "-I.", "-Iboot", *includes]
    try:
        run_gcc(program, [*flags, "-c", path, "-o", name], workshop)
    except CompilerError as error:
        raise _failed(f"Compiling {path}", error) from error
    return name


def _compile(checkout: Checkout, file: SourceFile, target: Target, folder: Path) -> None:
    """One file of the checkouts, renamed into the cache when it is whole."""
    program = CPP if file.is_cpp else C
    output = _object(folder, file)
    flags = [*compile_flags(program, target), file.level, "-w"]
    maps = [f"-ffile-prefix-map={root}=." for root in (checkout.tflm, checkout.cmsis_nn)]
    includes = [f"-I{path}" for path in checkout.includes]
    with tempfile.TemporaryDirectory(prefix="compiling-", dir=folder) as name:
        made = Path(name) / "object.o"
        arguments = [*flags, *maps, *includes, "-c", str(file.root / file.name), "-o", str(made)]
        try:
            run_gcc(program, arguments, Path(name))
        except CompilerError as error:
            raise _failed(f"Compiling {file.name} of the checkout", error) from error
        made.replace(output)


def _object(folder: Path, file: SourceFile) -> Path:
    return folder / f"{file.name.replace('/', '_')}{file.level}.o"


def _library_key(checkout: Checkout, target: Target) -> str:
    """What the objects depend on, the checkouts' content included."""
    flags = (*compile_flags(CPP, target), *compile_flags(C, target))
    material = "\0".join((digest(checkout), compiler.version(), *flags))
    return hashlib.sha256(material.encode()).hexdigest()[:32]


def _failed(what: str, error: CompilerError) -> ToolFailedError:
    lines = [line for line in error.output.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line or "undefined" in line] or lines
    return ToolFailedError(
        f"{what} failed:\n" + "\n".join(errors[:_ERROR_LINES]),
        hint="Check that the checkouts and the headers that they need are of matching versions.",
    )
