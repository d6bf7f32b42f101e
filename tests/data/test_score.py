"""Scores against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from edgeflow.data.postprocessing import TargetAffine, standardized, standardizing
from edgeflow.data.score import Better, ScoreName, Truth, anomaly_scores, auc, scores
from edgeflow.data.task import Task

GENERATOR = np.random.default_rng(0)


def by_name(outputs: np.ndarray, truth: Truth) -> dict[ScoreName, float]:
    return {score.name: score.value for score in scores(outputs, truth)}


@pytest.mark.parametrize("columns", [1, 3])
def test_errors_of_quantities_are_those_of_scikit_learn_in_their_unit(columns: int) -> None:
    y = GENERATOR.normal(size=(40, columns)) * 12.0 + 150.0
    affine = standardizing(y)
    outputs = standardized(y + GENERATOR.normal(size=y.shape), affine)
    found = by_name(outputs, Truth(Task.REGRESSION, y, target=affine))
    said = affine.in_unit(outputs.astype(np.float64))
    assert found == {
        ScoreName.RMSE: pytest.approx(metrics.root_mean_squared_error(y, said)),
        ScoreName.MAE: pytest.approx(metrics.mean_absolute_error(y, said)),
        ScoreName.R2: pytest.approx(metrics.r2_score(y, said)),
    }


def test_r2_is_left_out_where_the_targets_do_not_vary() -> None:
    affine = TargetAffine(scale=(2.0,), offset=(1.0,))
    found = by_name(np.zeros((4, 1)), Truth(Task.REGRESSION, np.ones((4, 1)), target=affine))
    assert found == {ScoreName.RMSE: 0.0, ScoreName.MAE: 0.0}


@pytest.mark.parametrize("levels", [3, 10_000])
def test_auc_is_that_of_scikit_learn_with_and_without_ties(levels: int) -> None:
    marks = GENERATOR.integers(0, 2, 300)
    values = np.round((GENERATOR.normal(size=300) + 0.8 * marks) * levels / 6)
    assert auc(values, marks) == pytest.approx(metrics.roc_auc_score(marks, values), abs=1e-12)


def test_auc_of_equal_values_is_that_of_guessing() -> None:
    assert auc(np.zeros(10), np.arange(10) % 2) == 0.5


def test_what_is_rebuilt_badly_is_anomalous() -> None:
    inputs = GENERATOR.normal(size=(6, 8))
    outputs = inputs + np.array([0.1, 0.1, 0.2, 2.0, 3.0, 1.0])[:, np.newaxis]
    found = by_name(outputs, Truth(Task.ANOMALY, np.array([0, 0, 0, 1, 1, 1]), inputs))
    assert found == {ScoreName.AUC: 1.0}
    assert anomaly_scores(outputs, inputs) == pytest.approx([0.01, 0.01, 0.04, 4.0, 9.0, 1.0])


def test_normal_samples_alone_tell_how_much_is_rebuilt() -> None:
    inputs = GENERATOR.normal(size=(30, 4)) * np.array([1.0, 2.0, 3.0, 0.0])
    outputs = inputs * 0.9
    found = by_name(outputs, Truth(Task.ANOMALY, None, inputs))
    wanted = metrics.r2_score(inputs, outputs, multioutput="variance_weighted")
    assert found == {ScoreName.RECONSTRUCTION: pytest.approx(wanted)}


def test_every_score_says_which_direction_is_better() -> None:
    outputs, labels = np.eye(3), np.array([0, 1, 1])
    (accuracy,) = scores(outputs, Truth(Task.CLASSIFICATION, labels))
    assert (accuracy.value, accuracy.better) == (pytest.approx(2 / 3), Better.LARGER)
    affine = TargetAffine(scale=(1.0,), offset=(0.0,))
    found = scores(np.zeros((2, 1)), Truth(Task.REGRESSION, np.ones((2, 1)), target=affine))
    assert {score.better for score in found} == {Better.SMALLER}
