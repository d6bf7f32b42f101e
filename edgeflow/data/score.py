"""How good answers are, by task: from real-valued outputs, float or dequantized alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.data.dataset import Dataset, Split, prepare
from edgeflow.data.postprocessing import TargetAffine
from edgeflow.data.task import Task
from edgeflow.figures import Unit

Real = NDArray[np.floating[Any]]


class ScoreName(StrEnum):
    """The scores that are reported."""

    ACCURACY = "accuracy"  # share of samples whose largest output is at their class
    RMSE = "RMSE"  # root of the mean square error
    MAE = "MAE"  # mean absolute error
    R2 = "R2"  # coefficient of determination: 1 is perfect, 0 is the mean of the targets
    AUC = "AUC"  # area under the ROC curve: 1 is perfect, 0.5 is guessing
    RECONSTRUCTION = "R2 of reconstruction"  # part of the inputs' variance that is rebuilt


class Better(StrEnum):
    """Which of two values of a score is the better one."""

    LARGER = "larger"
    SMALLER = "smaller"


MEANINGS: Mapping[ScoreName, tuple[Unit, Better]] = {
    ScoreName.ACCURACY: (Unit.FRACTION, Better.LARGER),
    ScoreName.RMSE: (Unit.TARGET, Better.SMALLER),
    ScoreName.MAE: (Unit.TARGET, Better.SMALLER),
    ScoreName.R2: (Unit.RATIO, Better.LARGER),
    ScoreName.AUC: (Unit.RATIO, Better.LARGER),
    ScoreName.RECONSTRUCTION: (Unit.RATIO, Better.LARGER),
}


@dataclass(frozen=True)
class Score:
    """A score of all samples of a part."""

    name: ScoreName
    value: float

    @property
    def unit(self) -> Unit:
        """The unit of `value`."""
        return MEANINGS[self.name][0]

    @property
    def better(self) -> Better:
        """Which direction is better."""
        return MEANINGS[self.name][1]


@dataclass(frozen=True, eq=False)
class Truth:
    """What outputs are compared with.

    `labels` are classes or marks int64 [N], or target values [N, outputs] in their unit, which
    `target` brings outputs to. `inputs` [N, outputs] is what an autoencoder had to rebuild; there
    without `labels`, the samples are normal ones.
    """

    task: Task
    labels: NDArray[Any] | None
    inputs: Real | None = None
    target: TargetAffine | None = None


def truth_of(dataset: Dataset, split: Split) -> Truth:
    """What the outputs of a float network for `split` are compared with."""
    inputs = None
    if dataset.task is Task.ANOMALY:
        inputs = prepare(dataset.preprocessing, split.x).reshape(len(split), -1)
    return Truth(dataset.task, labels_in_unit(dataset, split), inputs, dataset.target)


def labels_in_unit(dataset: Dataset, split: Split) -> NDArray[Any] | None:
    """`y` of a split, quantities in the target's unit (float32)."""
    if split.y is None or dataset.target is None:
        return split.y
    return dataset.target.in_unit(split.y).astype(np.float32)


def scores(outputs: Real, truth: Truth) -> tuple[Score, ...]:
    """The scores of the truth's task for outputs [N, outputs], the one that counts first."""
    return _SCORES[truth.task](outputs, truth)


def accuracy(outputs: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """Fraction of labels whose answer's largest value (the first of equals) is at their index.

    A label without an answer counts as wrong.
    """
    classes = np.argmax(outputs.reshape(len(outputs), -1), axis=1)[: len(labels)]
    return int(np.count_nonzero(classes == labels[: len(classes)])) / len(labels)


def auc(values: Real, marks: NDArray[np.int64]) -> float:
    """Share of pairs of an anomalous (1) and a normal (0) sample in which the former is larger.

    Equal values count half: the Mann-Whitney statistic, which is the area under the ROC curve
    (Fawcett 2006, section 7).
    """
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(sizes) - (sizes - 1) / 2)[group]
    anomalous = marks == 1
    count, others = int(anomalous.sum()), int((~anomalous).sum())
    return float((ranks[anomalous].sum() - count * (count + 1) / 2) / (count * others))


def anomaly_scores(outputs: Real, inputs: Real) -> NDArray[np.float64]:
    """Mean square of what is rebuilt wrongly, one value a sample."""
    squares: NDArray[np.float64] = np.square(outputs.astype(np.float64) - inputs.astype(np.float64))
    return squares.mean(axis=1)


def _of_classes(outputs: Real, truth: Truth) -> tuple[Score, ...]:
    assert truth.labels is not None
    return (Score(ScoreName.ACCURACY, accuracy(outputs, truth.labels)),)


def _of_quantities(outputs: Real, truth: Truth) -> tuple[Score, ...]:
    """Means over the columns, as scikit-learn's metrics give them for several outputs."""
    assert truth.labels is not None
    assert truth.target is not None
    wanted = truth.labels.astype(np.float64)
    errors = truth.target.in_unit(outputs.astype(np.float64)) - wanted
    squares = np.square(errors)
    spread = np.square(wanted - wanted.mean(axis=0)).sum(axis=0)
    unexplained = squares.sum(axis=0) / np.maximum(spread, np.finfo(np.float64).tiny)
    return (
        Score(ScoreName.RMSE, float(np.sqrt(squares.mean(axis=0)).mean())),
        Score(ScoreName.MAE, float(np.abs(errors).mean())),
        *([] if not spread.all() else [Score(ScoreName.R2, float((1.0 - unexplained).mean()))]),
    )


def _of_anomalies(outputs: Real, truth: Truth) -> tuple[Score, ...]:
    assert truth.inputs is not None
    if truth.labels is not None:
        found = anomaly_scores(outputs, truth.inputs)
        return (Score(ScoreName.AUC, auc(found, truth.labels)),)
    inputs = truth.inputs.astype(np.float64)
    spread = float(np.square(inputs - inputs.mean(axis=0)).sum())
    wrong = float(np.square(outputs.astype(np.float64) - inputs).sum())
    return () if spread == 0.0 else (Score(ScoreName.RECONSTRUCTION, 1.0 - wrong / spread),)


_SCORES: Mapping[Task, Callable[[Real, Truth], tuple[Score, ...]]] = {
    Task.CLASSIFICATION: _of_classes,
    Task.REGRESSION: _of_quantities,
    Task.ANOMALY: _of_anomalies,
}
