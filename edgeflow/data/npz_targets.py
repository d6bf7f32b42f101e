"""What the arrays `y` of an .npz file ask for, and their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.data.options import DataOptions, TaskChoice
from edgeflow.data.task import Task
from edgeflow.data.tree import FileTree
from edgeflow.errors import DataError

Arrays = Mapping[str, NDArray[Any]]


def task_of_targets(origin: str, y: Arrays, has_train: bool, options: DataOptions) -> Task:
    """The task of the arrays `y`, by part; `has_train` says whether there is an x of training.

    Marks of a test part alone are those of anomaly detection, floating point numbers those of
    regression. Raises DataError for floats that may be either numbers of classes or quantities.
    """
    marks_alone = has_train and set(y) == {"test"}
    if marks_alone and options.task in (TaskChoice.AUTO, TaskChoice.ANOMALY):
        if options.normal_class:
            raise DataError(
                f"{origin}: normal_class is for data with classes, and x_train has no y",
                hint="leave normal_class out: all of x_train is normal, or add y_train",
            )
        return Task.ANOMALY
    if options.task is TaskChoice.REGRESSION:
        return Task.REGRESSION
    floating = [values for values in y.values() if values.dtype.kind == "f"]
    if options.task is not TaskChoice.AUTO or options.normal_class or not floating:
        return Task.CLASSIFICATION
    if all(_is_whole(values) for values in floating):
        raise DataError(
            f"{origin}: y has shape {floating[0].shape} and type {floating[0].dtype}, and holds "
            "whole numbers only: they may be quantities, or numbers of classes",
            hint='set [data] task = "regression", or task = "classification"',
        )
    return Task.REGRESSION


def class_labels(
    tree: FileTree, y: Arrays, names: tuple[str, ...] | None
) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """Labels [N] of each part, and the names of the classes (`names`, where the file has them)."""
    y = {part: v[:, 0] if v.ndim == 2 and v.shape[1] == 1 else v for part, v in y.items()}
    y = {p: v.astype(np.int64) if v.dtype.kind == "f" and _is_whole(v) else v for p, v in y.items()}
    for part, values in y.items():
        if values.ndim != 1 or not values.size or values.dtype.kind not in "iuU":
            raise DataError(
                f"{tree.origin}: {part} y has shape {values.shape} and type {values.dtype}",
                hint="y must hold one integer or class name a sample; take argmax of one-hot rows; "
                'for quantities set [data] task = "regression"',
            )
    if any(values.dtype.kind == "U" for values in y.values()):
        strings = {part: values.astype(str) for part, values in y.items()}
        found = tuple(sorted({str(v) for values in strings.values() for v in np.unique(values)}))
        index = {name: i for i, name in enumerate(found)}
        return {
            part: np.array([index[str(v)] for v in values], dtype=np.int64)
            for part, values in strings.items()
        }, found
    if names is None:
        largest = max(int(values.max()) for values in y.values())
        if largest >= sum(len(values) for values in y.values()):
            raise DataError(
                f"{tree.origin}: label {largest} is larger than the number of samples",
                hint="number the classes from 0 without gaps; where y holds quantities, set [data] "
                'task = "regression"',
            )
        names = tuple(str(n) for n in range(largest + 1))
    limits = np.iinfo(np.int64)
    return {p: v.clip(limits.min, limits.max).astype(np.int64) for p, v in y.items()}, names


def quantities(tree: FileTree, y: Arrays) -> dict[str, NDArray[np.float64]]:
    """Target values [N, outputs] of each part."""
    for part, values in y.items():
        if values.ndim not in (1, 2) or not values.size or values.dtype.kind not in "iuf":
            raise DataError(
                f"{tree.origin}: {part} y has shape {values.shape} and type {values.dtype}",
                hint="for regression y must hold numbers: one a sample [N], or a row [N, outputs]",
            )
    return {part: values.astype(np.float64).reshape(len(values), -1) for part, values in y.items()}


def marks(tree: FileTree, y: NDArray[Any]) -> NDArray[np.int64]:
    """Marks [N] of the test part: 0 normal, 1 anomalous; other numbers are refused later."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1 or not y.size or y.dtype.kind not in "biuf" or not _is_whole(y):
        raise DataError(
            f"{tree.origin}: test y has shape {y.shape} and type {y.dtype}",
            hint="for anomaly detection y_test must hold 0 (normal) or 1 (anomalous) a sample",
        )
    limits = np.iinfo(np.int64)
    return y.clip(limits.min, limits.max).astype(np.int64) if y.dtype.kind != "b" else y.astype(int)


def _is_whole(values: NDArray[Any]) -> bool:
    """Whether no value has a fraction; NaN and infinity are no whole numbers."""
    if values.dtype.kind != "f":
        return values.dtype.kind in "biu"
    return bool((np.isfinite(values) & (np.floor(values) == values)).all())
