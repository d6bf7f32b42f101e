"""Anomaly detection: training and validation hold normal samples alone, the test part both."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import numpy as np

from edgeflow.data.classification import check_labels
from edgeflow.data.dataset import Split
from edgeflow.data.options import DataOptions
from edgeflow.data.parts import separate, split_missing
from edgeflow.data.raw import RawData
from edgeflow.data.whole import Whole
from edgeflow.errors import ConfigError, DataError

CLASSES = ("normal", "anomalous")


def marked(raw: RawData, options: DataOptions) -> Whole:
    """Parts with marks 0 (normal) and 1 (anomalous) in the test part and none in the others.

    Data with classes is divided by `normal_class`: normal samples as classification would divide
    them, all others go to the test part. Raises DataError where the test part lacks either.
    """
    whole = _by_normal_class(raw, options) if raw.classes else _as_given(raw, options)
    found = set(np.unique(whole.parts["test"].labels).tolist())
    for mark, name in enumerate(CLASSES):
        if mark not in found:
            raise DataError(
                f"{raw.name}: the test part holds no {name} sample",
                hint="AUC compares normal with anomalous test samples: bring some of both",
            )
    return whole


def _as_given(raw: RawData, options: DataOptions) -> Whole:
    """The source marks its test part itself; its training part is normal by definition."""
    outside = np.flatnonzero(~np.isin(raw.parts["test"].labels, (0, 1)))
    if outside.size:
        raise DataError(
            f"{raw.name}: y of test sample {outside[0]} is "
            f"{raw.parts['test'].labels[outside[0]]}, and a mark is 0 (normal) or 1 (anomalous)",
            hint="x_train without y_train means anomaly detection; classification needs y_train",
        )
    parts, dropped = separate(raw.parts)
    strata = np.zeros(len(parts["train"]), dtype=np.int64)
    parts = split_missing(parts, strata, CLASSES[:1], options)
    return Whole(parts, CLASSES, duplicates_dropped=dropped)


def _by_normal_class(raw: RawData, options: DataOptions) -> Whole:
    check_labels(raw)
    numbers = _numbers(raw.name, raw.classes, options.normal_class)
    masks = {part: np.isin(split.labels, numbers) for part, split in raw.parts.items()}
    normal = {part: raw.parts[part].select(mask) for part, mask in masks.items() if mask.any()}
    others = [raw.parts[part].x[~mask] for part, mask in masks.items()]
    if "train" not in normal:
        names = ", ".join(map(repr, options.normal_class))
        raise DataError(
            f"{raw.name}: no training sample of the normal class {names}",
            hint="add samples of it to the training part, or name another normal class",
        )
    normal, dropped = separate(normal)
    strata = np.searchsorted(numbers, normal["train"].labels)
    names_of_strata = [raw.classes[n] for n in numbers]
    normal = split_missing(normal, strata, names_of_strata, options)
    anomalous = np.concatenate(others)
    test = np.concatenate([normal["test"].x, anomalous])
    marks = np.repeat(np.array([0, 1], dtype=np.int64), [len(normal["test"]), len(anomalous)])
    parts, both = separate(
        {
            "train": Split(normal["train"].x, None),
            "validation": Split(normal["validation"].x, None),
            "test": Split(test, marks),
        }
    )
    return Whole(parts, CLASSES, duplicates_dropped=dropped + both)


def _numbers(name: str, classes: Sequence[str], normal: Sequence[str]) -> list[int]:
    """The numbers of the normal classes, ascending."""
    if not normal:
        raise ConfigError(
            f'[data] task = "anomaly": {name} has classes, and none of them is named as normal',
            hint=f"set [data] normal_class to one or several of: {_listed(classes)}",
        )
    for wanted in normal:
        if wanted not in classes:
            close = difflib.get_close_matches(wanted, classes, n=1, cutoff=0.5)
            guess = f"did you mean {close[0]!r}? " if close else ""
            raise ConfigError(
                f"[data] normal_class: {name} has no class {wanted!r}",
                hint=f"{guess}Classes: {_listed(classes)}",
            )
    return sorted(classes.index(wanted) for wanted in set(normal))


def _listed(classes: Sequence[str]) -> str:
    shown = ", ".join(classes[:20])
    return f"{shown}, ..." if len(classes) > 20 else shown
