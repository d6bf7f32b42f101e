"""Options of the firmware backend."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class RowExecution(StrEnum):
    """Where layers run row by row, so that the tensors between them are never whole in RAM."""

    AUTO = "auto"
    NEVER = "never"
    LEAST_RAM = "least-ram"


class MemoryOptions(BaseModel):
    """Layers row by row: auto (where it is almost free, or RAM is short), never, or least-ram.

    Row by row, a layer's output needs only the rows that its readers still read. `auto` does so
    where it adds at most some 2 % of instructions, and beyond that only as far as the RAM budget or
    the target asks for. The results are the same, bit for bit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    row_by_row: RowExecution = RowExecution.AUTO
