"""From what a source read to a data set: checks, split, scaling constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.data.anomaly import marked
from edgeflow.data.classification import by_class
from edgeflow.data.dataset import Dataset, Split, content_hash
from edgeflow.data.options import DataOptions, Scaling
from edgeflow.data.preprocessing import (
    Affine,
    Axis,
    FrontEnd,
    MfccFrontEnd,
    Preprocessing,
    range_affine,
    standard_affine,
)
from edgeflow.data.raw import RawData
from edgeflow.data.regression import with_quantities
from edgeflow.data.task import Task
from edgeflow.data.whole import Whole
from edgeflow.errors import DataError

WHOLE: Mapping[Task, Callable[[RawData, DataOptions], Whole]] = {
    Task.CLASSIFICATION: by_class,
    Task.REGRESSION: with_quantities,
    Task.ANOMALY: marked,
}


def assemble(raw: RawData, options: DataOptions) -> Dataset:
    """Check, drop duplicates across the source's own parts, split the rest, find the scaling."""
    for part, split in raw.parts.items():
        _check_samples(raw.name, part, split.x)
        if split.y is not None and len(split.y) != len(split):
            raise DataError(
                f"{raw.name}: {part} has {len(split)} samples and labels of shape {split.y.shape}",
                hint="give exactly one label, or one row of target values, for each sample",
            )
    shapes = {part: split.x.shape[1:] for part, split in raw.parts.items()}
    if len(set(shapes.values())) > 1 or len({s.x.dtype for s in raw.parts.values()}) > 1:
        raise DataError(
            f"{raw.name}: the parts differ in sample shape or type: {shapes}",
            hint="give every part the same shape; for images set image_size",
        )
    test = raw.parts.get("test")
    if test is not None and test.y is None:
        nothing = Split(test.x[:0], None)
        unlabelled = Whole({"train": nothing, "validation": nothing, "test": test}, ())
        return _dataset(raw, unlabelled, test, options)
    whole = WHOLE[raw.task](raw, options)
    return _dataset(raw, whole, whole.parts["train"], options)


def _dataset(raw: RawData, whole: Whole, scaled_by: Split, options: DataOptions) -> Dataset:
    """The data set of train, validation and test, with the scaling that suits `scaled_by`."""
    affine = _affine(scaled_by.x, raw.front_end, options)
    preprocessing = Preprocessing(front_end=raw.front_end, affine=affine)
    ordered = (whole.parts["train"], whole.parts["validation"], whole.parts["test"])
    meaning = () if raw.task is Task.CLASSIFICATION else (raw.task.value, repr(whole.target))
    return Dataset(
        raw.name,
        *ordered,
        classes=whole.classes,
        preprocessing=preprocessing,
        content_hash=content_hash(ordered, (*whole.classes, *meaning), preprocessing),
        duplicates_dropped=whole.duplicates_dropped,
        task=raw.task,
        target=whole.target,
    )


def _check_samples(name: str, part: str, x: NDArray[Any]) -> None:
    if x.ndim != 4 or x.dtype not in (np.uint8, np.float32) or 0 in x.shape:
        raise DataError(
            f"{name}: {part} samples have shape {x.shape} and type {x.dtype}",
            hint="samples must be [N, height, width, channels], uint8 or float32, not empty",
        )
    if x.dtype == np.float32:
        bad = np.flatnonzero(~np.isfinite(x).all(axis=(1, 2, 3)))
        if bad.size:
            raise DataError(
                f"{name}: {part} sample {bad[0]} holds NaN or infinity ({bad.size} such samples)",
                hint="remove or repair these samples",
            )


def _affine(x: NDArray[Any], front_end: FrontEnd, options: DataOptions) -> Affine:
    scaling = _scaling(x.dtype == np.uint8, options)
    if scaling is Scaling.NONE:
        return Affine(scale=(1.0,), offset=(0.0,))
    if scaling is Scaling.RANGE:
        if x.dtype != np.uint8:
            raise DataError(
                "scaling by range needs 8-bit samples, and these are float",
                hint="set scaling to standard, or to none",
            )
        return range_affine(x, options.value_range or (0.0, 1.0))
    axis = Axis.WIDTH if isinstance(front_end, MfccFrontEnd) else Axis.CHANNEL
    return standard_affine(x, axis)


def _scaling(eight_bit: bool, options: DataOptions) -> Scaling:
    if options.scaling is not Scaling.AUTO:
        return options.scaling
    if eight_bit:
        return Scaling.RANGE
    return Scaling.STANDARD if options.value_range is None else Scaling.NONE
