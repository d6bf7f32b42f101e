"""A program for Linux: what the toolchain makes of a model, and what it asks of the system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgeflow.backends.firmware.source import INVOKE_SYMBOL, LayerSymbol
from edgeflow.targets.schema import InstructionSet

INSTRUCTION_SETS = {62: InstructionSet.X86_64, 183: InstructionSet.AARCH64}
"""The numbers of instruction sets in ELF files."""


def whole_layers(layers: tuple[LayerSymbol, ...]) -> tuple[LayerSymbol, ...]:
    """The layers that the runner can time one by one; none where some run for bands of rows."""
    whole = all(layer.calls == 1 and layer.caller == INVOKE_SYMBOL for layer in layers)
    return layers if whole else ()


@dataclass(frozen=True, eq=False)
class NativeProgram:
    """A model for Linux: `runner` is a static executable, `library` a shared object for users.

    `library_bytes` is the size of the library's file, `memory_bytes` what a process that runs the
    runner maps from it (code, constants, static data; the stack is beside that). `glibc` is the
    newest version of the C library that the library asks for, None where it asks for none.
    """

    runner: bytes
    library: bytes
    instruction_set: InstructionSet
    layers: tuple[LayerSymbol, ...]
    input_bytes: int
    output_bytes: int
    library_bytes: int
    memory_bytes: int
    glibc: tuple[int, int] | None

    @property
    def companions(self) -> Mapping[str, bytes]:
        """Files that the runner needs beside it: none."""
        return {}
