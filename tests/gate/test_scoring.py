"""int8 answers read as what the task asks for, and judged by its own budget."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgeflow.data.postprocessing import OutputGrid, Postprocessing, TargetAffine
from edgeflow.data.task import Task
from edgeflow.errors import ConfigError, VerdictError
from edgeflow.gate.budget import Budget, require_countable
from edgeflow.gate.scoring import Scoring, score_answers
from edgeflow.gate.verdict import CheckName, Evidence, Verdict, judge, require

GRID = OutputGrid(scale=0.5, zero_point=-3)
TARGET = TargetAffine(scale=(10.0,), offset=(100.0,))
REGRESSION = Scoring(Postprocessing(task=Task.REGRESSION, target=TARGET, output=GRID))
ANSWERS = np.array([[-3], [-1], [1], [3]], dtype=np.int8)  # 100, 110, 120, 130
WANTED = np.array([[100.0], [110.0], [120.0], [136.0]], dtype=np.float32)
EVIDENCE = Evidence(ANSWERS, ANSWERS, None, WANTED, 1000, 2000, 300, REGRESSION)

INPUTS = np.array([[0, 0], [10, 0], [0, 10], [90, 90]], dtype=np.int8)
REBUILT = np.array([[-3, -3], [17, -3], [-3, 17], [-3, -3]], dtype=np.int8)
ANOMALY = Scoring(
    Postprocessing(task=Task.ANOMALY, output=GRID), INPUTS, OutputGrid(scale=1.0, zero_point=0)
)
MARKS = np.array([0, 0, 0, 1], dtype=np.int64)


def failed(verdict: Verdict) -> set[CheckName]:
    return {check.name for check in verdict.checks if not check.passed}


def test_errors_are_counted_in_the_unit_of_the_target() -> None:
    values = {score.name.value: score.value for score in score_answers(ANSWERS, WANTED, REGRESSION)}
    assert values == {"RMSE": 3.0, "MAE": 1.5, "R2": pytest.approx(1 - 36 / 707)}


def test_an_rmse_above_its_budget_is_refused_and_one_at_it_passes() -> None:
    assert judge(EVIDENCE, Budget(rmse=3.0)).passed
    verdict = judge(EVIDENCE, Budget(rmse=2.9))
    assert failed(verdict) == {CheckName.RMSE}
    with pytest.raises(VerdictError, match=r"RMSE on the device: 3, 0\.1 above the wanted 2\.9"):
        require(verdict)
    assert verdict.accuracy is None


def test_the_error_of_rebuilding_is_that_of_real_values() -> None:
    (score,) = score_answers(REBUILT, MARKS, ANOMALY)
    assert (score.name.value, score.value) == ("AUC", 1.0)
    (guessing,) = score_answers(REBUILT, MARKS[::-1].copy(), ANOMALY)
    assert guessing.value == pytest.approx(1 / 3)


def test_an_auc_below_its_budget_is_refused() -> None:
    evidence = replace(EVIDENCE, expected=REBUILT, device=REBUILT, labels=MARKS, scoring=ANOMALY)
    assert judge(evidence, Budget(auc=1.0)).passed
    worse = judge(replace(evidence, labels=MARKS[::-1].copy()), Budget(auc=0.9))
    assert failed(worse) == {CheckName.AUC}


@pytest.mark.parametrize("scoring", [REGRESSION, ANOMALY], ids=["regression", "anomaly"])
def test_answers_of_another_shape_have_no_score_and_fail(scoring: Scoring) -> None:
    labels = WANTED if scoring is REGRESSION else MARKS
    expected = ANSWERS if scoring is REGRESSION else REBUILT
    evidence = replace(EVIDENCE, expected=expected, labels=labels, scoring=scoring)
    verdict = judge(replace(evidence, device=expected[:3]), Budget())
    assert verdict.scores == ()
    assert CheckName.BIT_EXACT in failed(verdict)
    assert len(failed(verdict)) == 2


def test_without_labels_nothing_is_scored() -> None:
    verdict = judge(replace(EVIDENCE, labels=None), Budget())
    assert verdict.scores == ()
    with pytest.raises(ConfigError, match="no rmse can be counted"):
        judge(replace(EVIDENCE, labels=None), Budget(rmse=1.0))


def test_a_budget_must_be_one_of_the_task() -> None:
    require_countable(Budget(flash_bytes=1, rmse=1.0), Task.REGRESSION)
    with pytest.raises(ConfigError, match="this is regression, which is not judged by auc") as told:
        require_countable(Budget(auc=0.5), Task.REGRESSION)
    assert "use the budget rmse=" in told.value.hint
