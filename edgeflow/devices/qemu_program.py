"""Which QEMU emulates a target, and where it comes from."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache

from edgeflow.errors import MissingToolError
from edgeflow.targets.schema import InstructionSet, Target

_SECONDS = 30


@dataclass(frozen=True)
class Emulator:
    """A system emulator: the architectures that it runs start with `prefix`."""

    isa: str
    prefix: str
    program: str
    package: str


EMULATORS = (
    Emulator("Arm", "Arm", "qemu-system-arm", "qemu-system-arm"),
    Emulator("RISC-V", "RV32", "qemu-system-riscv32", "qemu-system-misc"),
)


USER_EMULATORS = {
    InstructionSet.AARCH64: Emulator("AArch64 programs", "Armv8", "qemu-aarch64", "qemu-user"),
}


def install_hint(emulator: Emulator) -> str:
    """How to get an emulator."""
    return f"install it (Debian, Ubuntu: apt install {emulator.package})"


def program(target: Target) -> str:
    """The path of the QEMU that emulates a target; raises MissingToolError where it is absent."""
    if sys.platform == "win32":
        raise MissingToolError(
            f"Target {target.name} runs in QEMU with a plugin, which Windows does not support.",
            hint="Use another target, or Linux.",
        )
    architecture = target.core.architecture
    emulator = next((e for e in EMULATORS if architecture.startswith(e.prefix)), None)
    if emulator is None:
        raise MissingToolError(
            f"Target {target.name}: no emulator is known for the architecture {architecture!r}.",
            hint=f"Known: {', '.join(e.isa for e in EMULATORS)}.",
        )
    return _path(emulator, target)


def user_program(target: Target) -> str:
    """The path of the QEMU that runs programs for a Linux target; raises MissingToolError."""
    emulator = USER_EMULATORS.get(target.core.instruction_set)
    if emulator is None:
        raise MissingToolError(
            f"Target {target.name}: no emulator of programs for "
            f"{target.core.instruction_set} is known.",
            hint=f"Known: {', '.join(USER_EMULATORS)}.",
        )
    return _path(emulator, target)


def _path(emulator: Emulator, target: Target) -> str:
    path = shutil.which(emulator.program)
    if path is None:
        hint = install_hint(emulator)
        raise MissingToolError(
            f"Target {target.name} needs the program {emulator.program!r}, which is absent.",
            hint=f"{hint[0].upper()}{hint[1:]}.",
        )
    return path


@cache
def version(path: str) -> str:
    """The version of an emulator, such as "7.2.22"."""
    told = subprocess.run(
        [path, "--version"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    found = re.search(r"version ([\d.]+)", told.stdout)
    return found[1] if found else "of an unknown version"
