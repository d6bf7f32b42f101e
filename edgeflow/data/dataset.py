"""The value that data sources produce: three splits, class names, preprocessing."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.data.postprocessing import Postprocessing, TargetAffine
from edgeflow.data.preprocessing import Preprocessing, prepare
from edgeflow.data.task import Task
from edgeflow.errors import DataError

__all__ = ["Dataset", "Split", "content_hash", "prepare", "wanted_outputs"]


LABELS_HINT = (
    "label the data (in an .npz: y beside x), or bring an integer model (.tflite, QDQ .onnx), "
    "which runs on data without labels"
)


@dataclass(frozen=True, eq=False)
class Split:
    """Samples `x` [N, height, width, channels], uint8 or float32, unscaled, and their answers.

    `y` holds labels int64 [N] (classification: the class; anomaly: 0 normal, 1 anomalous) or, for
    regression, quantities float32 [N, outputs], standardized. It is None where the data comes
    without labels, and in the training and validation parts of anomaly detection.
    """

    x: NDArray[Any]
    y: NDArray[Any] | None

    def __len__(self) -> int:
        return len(self.x)

    @property
    def labels(self) -> NDArray[np.int64]:
        """`y` of classes or marks, for what cannot do without. Raises DataError without them."""
        if self.y is None:
            raise DataError("these samples have no labels", hint=LABELS_HINT)
        labels: NDArray[np.int64] = self.y.astype(np.int64, casting="safe", copy=False)
        return labels

    @property
    def quantities(self) -> NDArray[np.float32]:
        """`y` of regression [N, outputs]. Raises DataError where there are none."""
        if self.y is None:
            raise DataError("these samples have no target values", hint=LABELS_HINT)
        quantities: NDArray[np.float32] = self.y.astype(np.float32, copy=False)
        return quantities

    def select(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> Split:
        """The samples at these positions, or where a mask holds."""
        return Split(self.x[index], None if self.y is None else self.y[index])


@dataclass(frozen=True, eq=False)
class Dataset:
    """No sample occurs in two splits. Data without labels has no classes and is test alone.

    `target` brings the outputs and the `y` of regression to the target's unit.
    `duplicates_dropped` counts samples that were left out because an identical one is in a test or
    validation part that the source itself defines. `content_hash` is the sha256 of all the rest.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    content_hash: str
    duplicates_dropped: int = 0
    task: Task = Task.CLASSIFICATION
    target: TargetAffine | None = None

    @property
    def postprocessing(self) -> Postprocessing:
        """What a network's answers mean."""
        return Postprocessing(task=self.task, classes=self.classes, target=self.target)

    @property
    def input_shape_hwc(self) -> tuple[int, int, int]:
        """Shape of one sample."""
        height, width, channels = self.train.x.shape[1:]
        return height, width, channels

    @property
    def outputs(self) -> int:
        """How many outputs a network for this data has."""
        if self.task is Task.CLASSIFICATION:
            return len(self.classes)
        if self.task is Task.ANOMALY:
            return math.prod(self.input_shape_hwc)
        return self.train.quantities.shape[1]


def wanted_outputs(dataset: Dataset) -> str:
    """In words, how many outputs a network for this data has, and why."""
    if dataset.task is Task.CLASSIFICATION:
        return f"{dataset.outputs} classes"
    if dataset.task is Task.REGRESSION:
        values = "value" if dataset.outputs == 1 else "values"
        return f"{dataset.outputs} target {values} (regression)"
    return f"{dataset.outputs} elements to rebuild (anomaly detection)"


def content_hash(
    splits: tuple[Split, ...], classes: tuple[str, ...], preprocessing: Preprocessing
) -> str:
    """Sha256 (hex) over samples, labels, class names and preprocessing."""
    digest = hashlib.sha256()
    for split in splits:
        for array in (split.x,) if split.y is None else (split.x, split.y):
            little_endian = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
            digest.update(f"{little_endian.dtype.str}{little_endian.shape};".encode())
            digest.update(little_endian.data)
    for text in (*classes, preprocessing.model_dump_json()):
        digest.update(f"{len(text.encode())}:".encode() + text.encode())
    return digest.hexdigest()
