"""The race of engines, as the report tells it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from edgeflow.backends.engine import Engine
from edgeflow.figures import FigureKind


class RaceOutcome(StrEnum):
    """What came of an engine."""

    CHOSEN = "chosen"
    SLOWER = "slower"
    WRONG = "wrong"
    NOT_RUN = "not run"
    COMPILED = "compiled, not run"
    BESIDE = "in the bundle beside it"


class RaceRow(BaseModel):
    """An engine with a precision: how it answered, and how long it took.

    `detail` is how its answers compare with the interpreter's, or why it did not run. `score` is
    the task's, None without labels. `size_bytes` is what the board must hold of the model, without
    the engine that its system brings; `memory_bytes` the peak of the process. Where `is_bound`,
    `seconds` are those below which the engine cannot be.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: Engine
    precision: str
    version: str = ""
    outcome: RaceOutcome
    detail: str
    score: float | None = None
    seconds: float | None = None
    p95_seconds: float | None = None
    half_width: float | None = None
    rounds: int = Field(default=0, ge=0)
    inferences: int = Field(default=0, ge=0)
    size_bytes: int | None = None
    memory_bytes: int | None = None
    kind: FigureKind = FigureKind.MEASURED
    source: str = ""
    is_bound: bool = False

    @property
    def name(self) -> str:
        """Engine and precision."""
        return f"{self.engine} {self.precision}"
