"""A model for an engine that the board brings, with the script that runs it there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from edgeflow.backends.engine import Engine
from edgeflow.backends.firmware.source import LayerSymbol


class Precision(StrEnum):
    """The numbers that an engine stores weights in, and mostly computes with."""

    INT8 = "int8"
    FLOAT32 = "float32"
    FLOAT16 = "float16"


@dataclass(frozen=True, eq=False)
class RuntimeProgram:
    """A model file and a Python script which obeys the words of the native runner.

    `companions` are the files that the script finds beside it: the model, and what the script needs
    to know of it. Inputs and outputs are int8 rows on the integer graph's grids, whatever the
    engine computes with.
    """

    engine: Engine
    precision: Precision
    runner: bytes
    companions: Mapping[str, bytes]
    input_bytes: int
    output_bytes: int

    @property
    def name(self) -> str:
        """Engine and precision."""
        return f"{self.engine} {self.precision}"

    @property
    def layers(self) -> tuple[LayerSymbol, ...]:
        """None: the engine does not show its layers."""
        return ()

    @property
    def size_bytes(self) -> int:
        """Of all its files; the engine itself is the system's."""
        return len(self.runner) + sum(map(len, self.companions.values()))
