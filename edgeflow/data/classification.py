"""Classification: one label a sample, every class in every part."""

from __future__ import annotations

import numpy as np

from edgeflow.data.dataset import Split
from edgeflow.data.options import DataOptions
from edgeflow.data.parts import separate, split_missing
from edgeflow.data.raw import RawData
from edgeflow.data.whole import Whole
from edgeflow.errors import DataError


def by_class(raw: RawData, options: DataOptions) -> Whole:
    """Parts with labels; what is missing is cut from the training part class by class.

    Raises DataError for labels without a class and classes without samples.
    """
    check_labels(raw)
    if len(raw.classes) < 2:
        raise DataError(
            f"{raw.name}: only one class ({', '.join(raw.classes) or 'none'})",
            hint="classification needs at least two classes, each with its own samples",
        )
    parts, dropped = separate(raw.parts)
    _check_classes(raw, parts["train"])
    parts = split_missing(parts, parts["train"].labels, raw.classes, options)
    return Whole(parts, raw.classes, duplicates_dropped=dropped)


def check_labels(raw: RawData) -> None:
    """Raise DataError for a label that is no number of a class."""
    for part, split in raw.parts.items():
        y = split.labels
        if y.ndim != 1:
            raise DataError(
                f"{raw.name}: {part} has {len(split)} samples and labels of shape {y.shape}",
                hint="give exactly one integer label for each sample",
            )
        outside = np.flatnonzero((y < 0) | (y >= len(raw.classes)))
        if outside.size:
            raise DataError(
                f"{raw.name}: {part} label {y[outside[0]]} at index {outside[0]} is outside "
                f"0 to {len(raw.classes) - 1} ({outside.size} such labels)",
                hint="number the classes from 0 without gaps",
            )


def _check_classes(raw: RawData, train: Split) -> None:
    counts = np.bincount(train.labels, minlength=len(raw.classes))
    empty = [raw.classes[i] for i in np.flatnonzero(counts == 0)]
    if empty:
        raise DataError(
            f"{raw.name}: no training sample of class {', '.join(map(repr, empty[:5]))} "
            f"({len(empty)} of {len(raw.classes)} classes are empty)",
            hint="add samples of the class, or remove it and number the labels without gaps; where "
            'y holds quantities, set [data] task = "regression"',
        )
