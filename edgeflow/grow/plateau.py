"""When a network has learnt what it can and is to grow: its validation loss stands still."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgeflow.train.fit import EpochRecord


def has_plateaued(
    history: Sequence[EpochRecord], patience: int, minimal_improvement: float
) -> bool:
    """Whether the last `patience` epochs have not lowered the validation loss by enough.

    Enough is the fraction `minimal_improvement` of the lowest loss before them, and more than
    nothing; a loss that is no number improves nothing. A history of `patience` epochs or fewer has
    not plateaued.
    """
    if len(history) <= patience:
        return False
    losses = [e.validation_loss if math.isfinite(e.validation_loss) else math.inf for e in history]
    before, lately = min(losses[:-patience]), min(losses[-patience:])
    needed = 0.0 if before == math.inf else minimal_improvement * abs(before)
    return not (lately < before and lately <= before - needed)
