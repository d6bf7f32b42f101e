"""Programs for Linux: what they hold, what they ask of the system, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from edgeflow.backends.firmware.source import SourceTree
from edgeflow.backends.native.elf import read_elf
from edgeflow.backends.native.toolchain import build_program, program_files, require_fitting
from edgeflow.errors import BundleError, DoesNotFitError, ToolFailedError
from edgeflow.targets.registry import load
from edgeflow.targets.schema import InstructionSet, MemoryKind, Target
from tests.backends.hand_written import invoke_only, mixed_model

NAMES = ("linux-x86_64", "raspberry-pi-4", "raspberry-pi-5", "jetson-nano", "jetson-orin-nano")


def copying(outputs: str = "out[0] = in[0];") -> SourceTree:
    return invoke_only(outputs)


@pytest.mark.parametrize("name", NAMES)
def test_a_program_is_for_its_target_and_its_runner_needs_nothing(name: str) -> None:
    target = load(name)
    program = build_program(mixed_model(), target)
    runner, library = read_elf(program.runner), read_elf(program.library)
    assert runner.instruction_set is library.instruction_set is target.core.instruction_set
    assert runner.is_static
    assert runner.libraries == ()
    assert runner.versions == ()
    assert program.memory_bytes == runner.memory_bytes
    assert target.linux is not None
    assert program.glibc is None or program.glibc <= target.linux.glibc_version


def test_the_same_source_gives_the_same_bytes() -> None:
    one, other = (build_program(mixed_model(), load("jetson-nano")) for _ in range(2))
    assert one.runner == other.runner
    assert one.library == other.library


def _needing_libc(target: Target) -> SourceTree:
    """A model that calls a function which glibc has anew in version 2.33: stat."""
    return invoke_only(
        "struct stat found; out[0] = (int8_t)stat(in, &found);",
        "#include <sys/stat.h>\n",
    )


def test_a_library_that_needs_a_newer_glibc_than_the_board_has_is_refused() -> None:
    nano = load("jetson-nano")
    newer = nano.toolchain.model_copy(update={"triple": "aarch64-linux-gnu.2.34"})
    careless = nano.model_copy(update={"toolchain": newer})
    with pytest.raises(DoesNotFitError, match=r"needs glibc 2\.33, and jetson-nano .* has 2\.27"):
        build_program(_needing_libc(nano), careless)
    assert build_program(_needing_libc(nano), nano).glibc == (2, 17)


@pytest.mark.parametrize("kind", list(MemoryKind))
def test_a_program_that_is_larger_than_the_board_s_memory_is_refused(kind: MemoryKind) -> None:
    target = load("jetson-nano")
    program = build_program(mixed_model(), target)
    memory = tuple(
        r.model_copy(update={"size_bytes": 1000}) if r.kind is kind else r for r in target.memory
    )
    with pytest.raises(DoesNotFitError, match=r"bytes needed, 1000 available"):
        require_fitting(program, target.model_copy(update={"memory": memory}))


def test_c_that_does_not_compile_is_told_with_the_compiler_s_words() -> None:
    with pytest.raises(ToolFailedError, match="undeclared"):
        build_program(invoke_only("out[0] = absent;"), load("linux-x86_64"))


@pytest.mark.parametrize("cut", [0, 3, 40, 200, 1000])
def test_a_damaged_file_is_told(cut: int) -> None:
    library = build_program(mixed_model(), load("raspberry-pi-4")).library
    with pytest.raises(BundleError, match="cannot be read"):
        read_elf(library[:cut])


def test_random_bytes_in_the_headers_never_end_in_another_error() -> None:
    library = build_program(mixed_model(), load("raspberry-pi-4")).library
    random = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(library)
        for at in random.integers(0, 600, 8):
            damaged[at] = int(random.integers(256))
        try:
            read_elf(bytes(damaged))
        except BundleError:
            continue


def test_a_file_of_another_machine_is_told() -> None:
    library = bytearray(build_program(mixed_model(), load("raspberry-pi-4")).library)
    library[18] = 243
    with pytest.raises(BundleError, match="no 64-bit little-endian ELF file"):
        read_elf(bytes(library))


def test_what_is_built_is_what_the_bundle_ships() -> None:
    files = program_files(copying())
    assert {"edgeflow_runner.c", "edgeflow_layer_table.c", "edgeflow_layer_table.h"} <= set(files)
    assert InstructionSet.AARCH64 is load("jetson-nano").core.instruction_set
