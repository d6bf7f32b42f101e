"""The frame of the training benchmarks counts compute and judges claims."""

from __future__ import annotations

import pytest

from benchmarks.train.frame import (
    Better,
    Comparison,
    Measured,
    epochs_within,
    forward_macs,
    parameters,
    training_macs,
)
from edgeflow.nets.registry import specify

SMALL = specify("small", (8, 8, 1), 10)


def comparison(better: Better, *values: tuple[float, ...]) -> Comparison:
    measured = tuple(Measured(f"method {i}", v, 100, 1e6) for i, v in enumerate(values))
    return Comparison("claim", "paper", "data", "accuracy", better, measured)


def test_multiply_accumulates_and_parameters_are_those_of_the_deployed_network() -> None:
    # 3x3x16 over 8x8, 3x3x16x32 over 4x4, dense 2x2x32 to 10.
    assert forward_macs(SMALL) == 9 * 16 * 64 + 9 * 16 * 32 * 16 + 128 * 10
    assert parameters(SMALL) == (9 * 16 + 16) + (9 * 16 * 32 + 32) + (128 * 10 + 10)


def test_equal_compute_gives_a_cheaper_network_more_epochs() -> None:
    macs = training_macs(specify("mlperf-dscnn", (49, 10, 1), 10), 100, 3)
    epochs = epochs_within(SMALL, 100, macs)
    assert epochs > 30
    assert training_macs(SMALL, 100, epochs) == pytest.approx(macs, rel=0.05)


@pytest.mark.parametrize(
    ("better", "values", "holds"),
    [
        (Better.HIGHER, ((0.9, 0.91, 0.92), (0.8, 0.81, 0.82)), "yes"),
        (Better.HIGHER, ((0.8, 0.81, 0.82), (0.5, 0.5, 0.5), (0.9, 0.91, 0.92)), "no"),
        (Better.HIGHER, ((0.8, 0.9, 0.85), (0.85, 0.8, 0.88)), "within the spread"),
        (Better.LOWER, ((0.1, 0.11, 0.12), (0.2, 0.21, 0.22)), "yes"),
        (Better.LOWER, ((0.3, 0.31, 0.32), (0.2, 0.21, 0.22)), "no"),
    ],
)
def test_a_claim_holds_only_beyond_two_standard_errors(
    better: Better, values: tuple[tuple[float, ...], ...], holds: str
) -> None:
    assert comparison(better, *values).holds == holds
