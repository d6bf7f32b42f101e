"""Regression: quantities, standardized on the training part for training."""

from __future__ import annotations

import numpy as np

from edgeflow.data.dataset import Split
from edgeflow.data.options import DataOptions
from edgeflow.data.parts import separate, split_missing
from edgeflow.data.postprocessing import standardized, standardizing
from edgeflow.data.raw import RawData
from edgeflow.data.split import sample_keys
from edgeflow.data.whole import Whole
from edgeflow.errors import DataError

_FEWEST_SAMPLES = 3  # one for each part
_SMALLEST_RELATIVE_DEVIATION = 1e-9


def with_quantities(raw: RawData, options: DataOptions) -> Whole:
    """Parts whose `y` has mean 0 and deviation 1 on training, and the affine that undoes that.

    Raises DataError for values that are not finite and for a column that never changes.
    """
    columns = {part: split.quantities.shape[1] for part, split in raw.parts.items()}
    if len(set(columns.values())) > 1:
        raise DataError(
            f"{raw.name}: the parts differ in the number of target values: {columns}",
            hint="y must have as many columns in every part",
        )
    for part, split in raw.parts.items():
        _check_finite(raw.name, part, split)
    parts, dropped = separate(raw.parts)
    train = parts["train"]
    if len(set(sample_keys(train.x))) < _FEWEST_SAMPLES:
        raise DataError(
            f"{raw.name}: fewer than {_FEWEST_SAMPLES} different training samples",
            hint="regression needs samples for training, validation and test",
        )
    strata = np.zeros(len(train), dtype=np.int64)
    parts = split_missing(parts, strata, ("all samples",), options)
    _check_deviation(raw.name, parts["train"])
    affine = standardizing(np.asarray(parts["train"].y, dtype=np.float64))
    scaled = {part: Split(s.x, standardized(np.asarray(s.y), affine)) for part, s in parts.items()}
    return Whole(scaled, (), affine, dropped)


def _check_finite(name: str, part: str, split: Split) -> None:
    bad = np.flatnonzero(~np.isfinite(np.asarray(split.y)).all(axis=1))
    if bad.size:
        raise DataError(
            f"{name}: {part} y of sample {bad[0]} is NaN or infinity ({bad.size} such samples)",
            hint="remove samples whose target value is not known",
        )


def _check_deviation(name: str, train: Split) -> None:
    y = np.asarray(train.y, dtype=np.float64)
    least = _SMALLEST_RELATIVE_DEVIATION * np.maximum(np.abs(y.mean(axis=0)), np.float64(1e-30))
    constant = np.flatnonzero(y.std(axis=0) <= least)
    if constant.size:
        raise DataError(
            f"{name}: column {constant[0]} of y is {y[0, constant[0]]:g} in every training sample",
            hint="there is nothing to learn from it: remove the column, or bring data that varies",
        )
