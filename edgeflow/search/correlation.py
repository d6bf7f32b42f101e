"""How far the sum of scores orders whole networks as their measured losses do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from edgeflow.search.space import Choice


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation over `networks` networks."""

    coefficient: float
    networks: int


def correlation(sums: Sequence[float], losses: Sequence[float]) -> Correlation:
    """Of sums of scores and losses of the same networks, at least three."""
    if len(sums) < 3:
        raise ValueError(f"{len(sums)} networks are too few for a rank correlation")
    found = spearmanr(np.asarray(sums), np.asarray(losses))
    return Correlation(float(found.statistic), len(sums))


def sums(scores: Sequence[NDArray[np.float64]], choices: Sequence[Choice]) -> list[float]:
    """The sum of the scores of each choice."""
    return [
        sum(float(own[index]) for own, index in zip(scores, choice, strict=True))
        for choice in choices
    ]
