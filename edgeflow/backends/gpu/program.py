"""A network for a GPU as a program: its runner, and the files that lie beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgeflow.backends.firmware.source import LayerSymbol


@dataclass(frozen=True, eq=False)
class GpuProgram:
    """The runner of `project_files` with kernels and weights; inputs and outputs are int8 rows."""

    runner: bytes
    companions: Mapping[str, bytes]
    input_bytes: int
    output_bytes: int

    @property
    def layers(self) -> tuple[LayerSymbol, ...]:
        """None: all launches are one graph."""
        return ()
