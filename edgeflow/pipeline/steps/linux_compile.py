"""Stage compile for Linux: the sources as a library and as a runner."""

from __future__ import annotations

from pathlib import Path

from edgeflow.backends.native.program import NativeProgram
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.files import read_document, write_document
from edgeflow.pipeline.steps.generate import SOURCE, read_source, source_document
from edgeflow.progress import ProgressEvent

RUNNER_FILE = "runner.elf"
LIBRARY_FILE = "library.elf"
PROGRAM_FILES = "program_files.json"


def run(context: StageContext) -> None:
    """Compile and link."""
    from edgeflow.backends.native.toolchain import build_program, program_files

    source = read_source(context.inputs["generate"] / SOURCE)
    target = context.plan.target
    context.progress(ProgressEvent("compile", f"library and runner for {target.name}"))
    program = build_program(source, target)
    (context.output / RUNNER_FILE).write_bytes(program.runner)
    (context.output / LIBRARY_FILE).write_bytes(program.library)
    write_document(context.output / PROGRAM_FILES, program_files(source))
    write_document(context.output / SOURCE, {**source_document(source), "files": {}})


def read_compiled(folder: Path) -> NativeProgram:
    """The program that this stage wrote."""
    from edgeflow.backends.native.toolchain import read_program

    source = read_source(folder / SOURCE)
    runner, library = (folder / name for name in (RUNNER_FILE, LIBRARY_FILE))
    sizes = source.input_bytes, source.output_bytes
    return read_program(runner.read_bytes(), library.read_bytes(), source.layers, *sizes)


def read_program_files(folder: Path) -> dict[str, str]:
    """What the program was built from."""
    files: dict[str, str] = read_document(folder / PROGRAM_FILES)
    return files
