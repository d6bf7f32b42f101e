"""Progress events: what long-running rooms say, without knowing who draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ProgressEvent:
    """One step of a stage: `done` of `total`, with values such as loss or accuracy."""

    stage: str
    message: str
    done: int = 0
    total: int = 0
    values: Mapping[str, float] = field(default_factory=dict)


Progress = Callable[[ProgressEvent], None]


def silent(event: ProgressEvent) -> None:
    """Discard an event."""
