"""Answers of an engine with arithmetic of its own, against the interpreter's: near enough or not.

Our code is bit-exact or wrong. Float engines, and those that requantize in float, are neither: they
compute the same network with other roundings. What counts is what the task counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeflow.data.score import Better, Score
from edgeflow.figures import Unit, quantity

ALLOWED_LOSS = 0.005
"""Of a score that is a fraction, in absolute terms; of others, as a part of the score."""
ALLOWED_STEPS = 1.0
"""Mean difference, in steps of the output's grid, where the data has no labels."""


@dataclass(frozen=True)
class Agreement:
    """How many of `images` answers are equal in every value, and differences in steps."""

    images: int
    equal: int
    largest: int
    mean: float

    @property
    def told(self) -> str:
        """In words."""
        if self.equal == self.images:
            return f"all {self.images} images equal"
        return (
            f"{self.equal} of {self.images} images equal, differences of {self.mean:.2g} steps in "
            f"the mean and {self.largest} at most"
        )


def agreement(expected: NDArray[np.int8], answers: NDArray[np.int8]) -> Agreement:
    """Compare answers int8 [N, values]; all differ where their shapes do."""
    images = len(expected)
    if expected.shape != answers.shape:
        return Agreement(images, 0, 255, 255.0)
    steps = np.abs(answers.astype(np.int16) - expected.astype(np.int16)).reshape(images, -1)
    equal = int(np.count_nonzero(steps.max(axis=1) == 0))
    return Agreement(images, equal, int(steps.max()), float(steps.mean()))


def objection(
    found: Agreement, expected_scores: tuple[Score, ...], scores: tuple[Score, ...]
) -> str:
    """Why answers cannot be let through, by scores of the interpreter's and theirs; empty if not.

    Without scores, by their mean difference.
    """
    if found.equal == found.images:
        return ""
    if not expected_scores:
        if found.mean <= ALLOWED_STEPS:
            return ""
        return f"{found.mean:.2g} steps in the mean, {ALLOWED_STEPS:g} allowed"
    counted = {score.name: score for score in scores}
    for wanted in expected_scores:
        score = counted.get(wanted.name)
        if score is None:
            return f"no {wanted.name} can be counted from them"
        if not near(wanted, score.value):
            lost = f"{quantity(score.value, score.unit)} instead of "
            return f"{wanted.name} {lost}{quantity(wanted.value, wanted.unit)}"
    return ""


def near(wanted: Score, value: float) -> bool:
    """Whether a score is at most a little worse."""
    loss = wanted.value - value if wanted.better is Better.LARGER else value - wanted.value
    whole = 1.0 if wanted.unit is Unit.FRACTION else abs(wanted.value)
    return loss <= ALLOWED_LOSS * whole
