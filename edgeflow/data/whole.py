"""Three parts that a task can be learnt and judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgeflow.data.dataset import Split
from edgeflow.data.postprocessing import TargetAffine


@dataclass(frozen=True, eq=False)
class Whole:
    """Parts "train", "validation" and "test" as a `Dataset` holds them, and what `y` means."""

    parts: Mapping[str, Split]
    classes: tuple[str, ...]
    target: TargetAffine | None = None
    duplicates_dropped: int = 0
