"""From what a source read to a data set: checks, split, scaling constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
from edgeflow.data.split import divide, sample_keys
from edgeflow.errors import DataError


@dataclass(frozen=True, eq=False)
class RawData:
    """What a reader returns: part "train", also "validation" and "test" where they exist.

    Data without labels is part "test" alone and has no classes.
    """

    name: str
    parts: Mapping[str, Split]
    classes: tuple[str, ...]
    front_end: FrontEnd


def assemble(raw: RawData, options: DataOptions) -> Dataset:
    """Check, drop duplicates across the source's own parts, split the rest, find the scaling."""
    for part, split in raw.parts.items():
        _check_part(raw.name, part, split, len(raw.classes))
    shapes = {part: split.x.shape[1:] for part, split in raw.parts.items()}
    if len(set(shapes.values())) > 1 or len({s.x.dtype for s in raw.parts.values()}) > 1:
        raise DataError(
            f"{raw.name}: the parts differ in sample shape or type: {shapes}",
            hint="give every part the same shape; for images set image_size",
        )
    test = raw.parts.get("test")
    if test is not None and test.y is None:
        nothing = Split(test.x[:0], None)
        return _dataset(raw, (nothing, nothing, test), test, 0, options)
    if len(raw.classes) < 2:
        raise DataError(
            f"{raw.name}: only one class ({', '.join(raw.classes) or 'none'})",
            hint="classification needs at least two classes, each with its own samples",
        )
    parts, dropped = _separate(raw.parts)
    _check_classes(raw, parts["train"])
    parts = _split_missing(parts, raw.classes, options)
    ordered = (parts["train"], parts["validation"], parts["test"])
    return _dataset(raw, ordered, parts["train"], dropped, options)


def _dataset(
    raw: RawData,
    ordered: tuple[Split, Split, Split],
    scaled_by: Split,
    dropped: int,
    options: DataOptions,
) -> Dataset:
    """The data set of train, validation and test, with the scaling that suits `scaled_by`."""
    affine = _affine(scaled_by.x, raw.front_end, options)
    preprocessing = Preprocessing(front_end=raw.front_end, affine=affine)
    return Dataset(
        raw.name,
        *ordered,
        classes=raw.classes,
        preprocessing=preprocessing,
        content_hash=content_hash(ordered, raw.classes, preprocessing),
        duplicates_dropped=dropped,
    )


def _check_part(name: str, part: str, split: Split, classes: int) -> None:
    x, y = split.x, split.y
    if x.ndim != 4 or x.dtype not in (np.uint8, np.float32) or 0 in x.shape:
        raise DataError(
            f"{name}: {part} samples have shape {x.shape} and type {x.dtype}",
            hint="samples must be [N, height, width, channels], uint8 or float32, not empty",
        )
    if y is not None and y.shape != (len(x),):
        raise DataError(
            f"{name}: {part} has {len(x)} samples and labels of shape {y.shape}",
            hint="give exactly one integer label for each sample",
        )
    if y is not None:
        _check_labels(name, part, split.labels, classes)
    if x.dtype == np.float32:
        bad = np.flatnonzero(~np.isfinite(x).all(axis=(1, 2, 3)))
        if bad.size:
            raise DataError(
                f"{name}: {part} sample {bad[0]} holds NaN or infinity ({bad.size} such samples)",
                hint="remove or repair these samples",
            )


def _check_labels(name: str, part: str, y: NDArray[np.int64], classes: int) -> None:
    outside = np.flatnonzero((y < 0) | (y >= classes))
    if outside.size:
        raise DataError(
            f"{name}: {part} label {y[outside[0]]} at index {outside[0]} is outside "
            f"0 to {classes - 1} ({outside.size} such labels)",
            hint="number the classes from 0 without gaps",
        )


def _check_classes(raw: RawData, train: Split) -> None:
    counts = np.bincount(train.labels, minlength=len(raw.classes))
    empty = [raw.classes[i] for i in np.flatnonzero(counts == 0)]
    if empty:
        raise DataError(
            f"{raw.name}: no training sample of class {', '.join(map(repr, empty[:5]))} "
            f"({len(empty)} of {len(raw.classes)} classes are empty)",
            hint="add samples of the class, or remove it and number the labels without gaps",
        )


def _separate(parts: Mapping[str, Split]) -> tuple[dict[str, Split], int]:
    """Keep a sample only in the first of test, validation, train that holds it."""
    result: dict[str, Split] = {}
    seen: set[bytes] = set()
    dropped = 0
    for part in ("test", "validation", "train"):
        if part not in parts:
            continue
        split = parts[part]
        if len(parts) > 1:
            keys = sample_keys(split.x)
            keep = np.array([key not in seen for key in keys], dtype=bool)
            seen.update(keys)
            if not keep.all():
                dropped += int((~keep).sum())
                split = split.select(keep)
        if not len(split):
            raise DataError(
                f"every sample of the {part} part is also in another part",
                hint="the source's parts must hold different samples",
            )
        result[part] = split
    return result, dropped


def _split_missing(
    parts: dict[str, Split], classes: tuple[str, ...], options: DataOptions
) -> dict[str, Split]:
    fractions = {"test": options.test_fraction, "validation": options.validation_fraction}
    missing = {name: value for name, value in fractions.items() if name not in parts}
    if not missing:
        return parts
    whole = parts["train"]
    indices = divide(sample_keys(whole.x), whole.labels, classes, missing, options.seed)
    return parts | {name: whole.select(i) for name, i in indices.items()}


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
