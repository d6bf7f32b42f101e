"""What tests that need QEMU share."""

from __future__ import annotations

import shutil

import pytest

from edgeflow.devices.qemu_program import EMULATORS, program
from edgeflow.errors import MissingToolError
from edgeflow.targets.registry import load, names
from edgeflow.targets.schema import RunnerKind, Target, TargetFamily

UNICORN_MODELS = {
    "mps2-an386": "UC_CPU_ARM_CORTEX_M4",
    "mps2-an500": "UC_CPU_ARM_CORTEX_M7",
    "riscv32-virt": "UC_CPU_RISCV32_SIFIVE_E31",
}
BOARDS = tuple(UNICORN_MODELS)


def qemu_board(name: str) -> Target:
    """The target of that name; skips the test where its emulator is not installed."""
    target = load(name)
    try:
        program(target)
    except MissingToolError as error:
        pytest.skip(f"{error.message} {error.hint}")
    return target


def in_unicorn(board: Target) -> Target:
    """The same memory map and core, run by the other emulator."""
    runner = board.runner.model_copy(
        update={
            "kind": RunnerKind.UNICORN,
            "cpu_model": UNICORN_MODELS[board.name],
            "machine": "",
        }
    )
    return board.model_copy(update={"runner": runner})


def marked_names() -> list[object]:
    """Every microcontroller's name; those that QEMU runs are marked, skipped where it is absent."""
    found: list[object] = []
    for name in names():
        target = load(name)
        if target.family is not TargetFamily.MICROCONTROLLER:
            continue
        if target.runner.kind is not RunnerKind.QEMU:
            found.append(name)
            continue
        needed = next(e for e in EMULATORS if target.core.architecture.startswith(e.prefix))
        absent = shutil.which(needed.program) is None
        reason = f"needs {needed.program} (Debian, Ubuntu: apt install {needed.package})"
        marks = [pytest.mark.qemu, pytest.mark.skipif(absent, reason=reason)]
        found.append(pytest.param(name, marks=marks))
    return found
