"""The benchmark of teachers and tickets compares what it says, with equal student compute."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.train import distill
from benchmarks.train.frame import Comparison, Effort


@pytest.fixture(scope="module")
def compared() -> list[Comparison]:
    """A part of the digits alone, which every machine has."""
    digits = distill.dataset(distill.Data.DIGITS, Effort.QUICK)
    assert digits is not None
    part = replace(digits, train=digits.train.select(np.arange(128)))
    patch = pytest.MonkeyPatch()
    patch.setattr(distill, "LESSONS", distill.LESSONS[:1])
    patch.setattr(distill, "dataset", lambda data, effort: part)
    try:
        return list(distill.compare(Effort.QUICK, lambda text: None))
    finally:
        patch.undo()


def test_each_method_stands_against_plain_training_and_each_ticket_against_two_others(
    compared: list[Comparison],
) -> None:
    methods = [tuple(m.method for m in c.measured) for c in compared]
    assert methods == [
        ("logits", "plain"),
        ("features", "plain"),
        ("online", "plain"),
        *[("KD ticket", "weight rewinding", "fine-tuning")] * len(distill.SPARSITIES),
    ]


def test_what_a_teacher_costs_comes_on_top(compared: list[Comparison]) -> None:
    for comparison in compared[:3]:
        taught, plain = comparison.measured
        assert taught.training_macs > plain.training_macs
        assert taught.parameters == plain.parameters


def test_more_sparsity_leaves_fewer_parameters(compared: list[Comparison]) -> None:
    left = [c.measured[0].parameters for c in compared[3:]]
    assert left == sorted(left, reverse=True)
    assert left[-1] < left[0] / 3
