"""Sanity checks that need no network: what the training part itself shows."""

from __future__ import annotations

import hashlib

import numpy as np

from edgeflow.data.dataset import Dataset
from edgeflow.data.task import Task
from edgeflow.train.sanity import Check, Finding

LARGEST_IMBALANCE = 10.0


def finite_data(dataset: Dataset) -> Finding:
    """Whether every training sample and target is a number."""
    train = dataset.train
    arrays = (train.x,) if train.y is None else (train.x, train.y)
    bad = sum(
        int((~np.isfinite(array.reshape(len(array), -1))).any(axis=1).sum())
        for array in arrays
        if array.dtype.kind == "f"
    )
    if bad:
        return Finding(
            Check.FINITE,
            passed=False,
            message=f"{bad} of {len(train)} training samples hold NaN or infinity",
            cause="a division by zero or a gap in the source of the data",
            stops=True,
        )
    return Finding(Check.FINITE, passed=True, message="no NaN, no infinity")


def class_balance(dataset: Dataset) -> tuple[Finding, ...]:
    """A hint where the largest class has many times the samples of the smallest."""
    if dataset.task is not Task.CLASSIFICATION:
        return ()
    counts = np.bincount(dataset.train.labels, minlength=len(dataset.classes))
    most, least = int(counts.argmax()), int(counts.argmin())
    message = (
        f"{counts[most]} training samples of {dataset.classes[most]!r}, the most, and "
        f"{counts[least]} of {dataset.classes[least]!r}, the fewest"
    )
    if counts[most] == counts[least]:
        message = f"{counts[most]} training samples of each class"
    passed = counts[most] <= LARGEST_IMBALANCE * counts[least]
    cause = "" if passed else "rare classes: accuracy says little about them; bring more of them"
    return (Finding(Check.CLASS_BALANCE, bool(passed), message, cause),)


def label_noise(dataset: Dataset) -> tuple[Finding, ...]:
    """A hint where equal training samples have different labels."""
    if dataset.task is not Task.CLASSIFICATION:
        return ()
    labels_of: dict[bytes, set[int]] = {}
    digests = []
    for sample, label in zip(dataset.train.x, dataset.train.labels, strict=True):
        digest = hashlib.blake2b(np.ascontiguousarray(sample).data, digest_size=16).digest()
        labels_of.setdefault(digest, set()).add(int(label))
        digests.append(digest)
    contradicting = sum(len(labels_of[digest]) > 1 for digest in digests)
    if contradicting:
        message = f"{contradicting} training samples equal another one that has another label"
        cause = "wrong labels: no network can learn both"
        return (Finding(Check.LABEL_NOISE, passed=False, message=message, cause=cause),)
    message = "no equal training samples with different labels"
    return (Finding(Check.LABEL_NOISE, passed=True, message=message),)
