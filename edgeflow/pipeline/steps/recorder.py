"""Epochs as they are told, kept for the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgeflow.progress import Progress, ProgressEvent

SCORES = ("accuracy", "r2")
_LOSSES = ("train_loss", "loss")


@dataclass(frozen=True)
class EpochRecorder:
    """Passes events on; `rows` holds stage, epoch, loss and validation score of each epoch."""

    stage: str
    progress: Progress
    rows: list[dict[str, str | int | float]] = field(default_factory=list)

    def __call__(self, event: ProgressEvent) -> None:
        """Note an event that reports a finished epoch."""
        loss = _first(event.values, _LOSSES)
        told = [name for name in SCORES if f"validation_{name}" in event.values]
        if event.done > 0 and loss is not None and told:
            score = event.values[f"validation_{told[0]}"]
            self.rows.append(
                {"stage": self.stage, "epoch": event.done, "loss": loss, told[0]: score}
            )
        self.progress(event)


def _first(values: Mapping[str, float], names: tuple[str, ...]) -> float | None:
    return next((values[name] for name in names if name in values), None)
