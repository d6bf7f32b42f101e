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


BATCHES_BETWEEN_EVENTS = 100


def epoch_part(
    stage: str, message: str, epoch: int, epochs: int, batch: int, batches: int, loss: float
) -> ProgressEvent | None:
    """A sign of life inside a long epoch: an event after every hundredth batch but the last."""
    if batch % BATCHES_BETWEEN_EVENTS or batch >= batches:
        return None
    told = f"{message} {epoch}, batch {batch} of {batches}"
    return ProgressEvent(stage, told, epoch - 1, epochs, {"train_loss": loss})
