"""How near an engine's answers must be that rounds in its own way."""

from __future__ import annotations

import numpy as np
import pytest

from edgeflow.data.score import Score, ScoreName
from edgeflow.gate.agreement import agreement, objection

EXPECTED = np.arange(-50, 50, dtype=np.int8).reshape(20, 5)


def _accuracy(value: float) -> tuple[Score, ...]:
    return (Score(ScoreName.ACCURACY, value),)


def test_differences_are_counted_in_steps_and_whole_answers() -> None:
    answers = EXPECTED.copy()
    answers[3, 1] += 2
    answers[7] += 1
    found = agreement(EXPECTED, answers)
    assert (found.images, found.equal, found.largest) == (20, 18, 2)
    assert found.mean == pytest.approx(7 / 100)
    assert "18 of 20 images equal" in found.told


def test_extremes_of_int8_do_not_wrap() -> None:
    low, high = np.full((1, 2), -128, np.int8), np.full((1, 2), 127, np.int8)
    assert agreement(low, high).largest == 255


def test_answers_of_another_shape_agree_in_nothing() -> None:
    found = agreement(EXPECTED, EXPECTED[:, :4])
    assert found.equal == 0
    assert objection(found, (), ())


def test_equal_answers_are_right_whatever_they_score() -> None:
    assert objection(agreement(EXPECTED, EXPECTED), _accuracy(0.1), _accuracy(0.1)) == ""


@pytest.mark.parametrize(("score", "right"), [(0.9, True), (0.896, True), (0.894, False)])
def test_a_score_may_be_half_a_point_lower(score: float, right: bool) -> None:
    found = agreement(EXPECTED, EXPECTED[::-1])
    refused = objection(found, _accuracy(0.9), _accuracy(score))
    assert (refused == "") is right
    assert right or "accuracy 89.40% instead of 90.00%" in refused


@pytest.mark.parametrize(("score", "right"), [(2.0, True), (2.009, True), (2.02, False)])
def test_an_error_may_be_a_two_hundredth_larger(score: float, right: bool) -> None:
    found = agreement(EXPECTED, EXPECTED[::-1])
    wanted, got = (Score(ScoreName.RMSE, 2.0),), (Score(ScoreName.RMSE, score),)
    assert (objection(found, wanted, got) == "") is right


def test_a_score_that_cannot_be_counted_is_an_objection() -> None:
    assert "no accuracy" in objection(agreement(EXPECTED, EXPECTED[::-1]), _accuracy(0.9), ())


@pytest.mark.parametrize(("steps", "right"), [(1, True), (2, False)])
def test_without_labels_answers_may_differ_by_a_step_in_the_mean(steps: int, right: bool) -> None:
    found = agreement(EXPECTED, EXPECTED + np.int8(steps))
    assert (objection(found, (), ()) == "") is right
