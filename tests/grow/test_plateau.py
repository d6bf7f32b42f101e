from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeflow.grow.plateau import has_plateaued
from edgeflow.train.fit import EpochRecord


def history(*validation_losses: float) -> list[EpochRecord]:
    return [
        EpochRecord(epoch, 1e-3, 0.0, loss, 0.0)
        for epoch, loss in enumerate(validation_losses, start=1)
    ]


@pytest.mark.parametrize(
    ("losses", "plateaued"),
    [
        ((), False),
        ((2.0, 1.0), False),  # shorter than the patience
        ((2.0, 1.0, 0.8, 0.7), False),
        ((1.0, 0.99, 0.995), True),  # 1 % in two epochs, where 5 % are asked for
        ((1.0, 0.99, 0.94), False),
        ((1.0, 0.94, 1.5), False),  # one of the last two was better by enough
        ((2.0, 1.0, 1.1, 1.2), True),  # rising
        ((1.0, 1.0, 1.0), True),
        ((2.0, 0.5, 0.6, 0.49), True),  # against the best before, not the last
        ((0.0, 0.0, 0.0), True),
        ((1.0, math.nan, math.inf), True),
        ((math.nan, 1.0, 1.0), False),
    ],
)
def test_histories_by_hand(losses: tuple[float, ...], plateaued: bool) -> None:
    assert has_plateaued(history(*losses), patience=2, minimal_improvement=0.05) is plateaued


def test_patience_is_counted_in_epochs() -> None:
    losses = history(1.0, 1.1, 1.1, 1.1)
    assert has_plateaued(losses, patience=3, minimal_improvement=0.0)
    assert not has_plateaued(losses, patience=4, minimal_improvement=0.0)


@given(st.lists(st.floats(0.1, 10.0), min_size=1, max_size=12), st.integers(1, 6))
def test_more_improvement_asked_for_never_makes_a_plateau_less_likely(
    losses: list[float], patience: int
) -> None:
    answers = [has_plateaued(history(*losses), patience, m) for m in (0.0, 0.01, 0.1, 0.5)]
    assert answers == sorted(answers)
