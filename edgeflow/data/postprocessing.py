"""What a network's answers mean; travels in the bundle as JSON, beside the preprocessing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from edgeflow.data.preprocessing import Frozen
from edgeflow.data.task import Task


class TargetAffine(Frozen):
    """Value in the target's unit = output * scale + offset, one of each for every output."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]

    def in_unit(self, outputs: NDArray[Any]) -> NDArray[np.float64]:
        """Standardized outputs [N, outputs] in the target's unit."""
        values: NDArray[np.float64] = outputs * np.array(self.scale) + np.array(self.offset)
        return values


class OutputGrid(Frozen):
    """Output = (q - zero_point) * scale, for an int8 answer q."""

    scale: float = Field(gt=0)
    zero_point: int = Field(ge=-128, le=127)


class NormalScores(Frozen):
    """Anomaly scores of the deployed network for normal samples that it was not trained on.

    A threshold at `percentile_95` gives a false alarm for every twentieth of them.
    """

    samples: int = Field(gt=0)
    mean: float
    percentile_95: float
    largest: float


class Postprocessing(Frozen):
    """From the int8 answer to what was asked for.

    Classification: the largest output is at the index of the class. Regression: `target` of the
    output. Anomaly detection: the mean square between output and input (both real values, element
    by element) is the larger the less the sample is like the training part; `normal` tells how
    large it is for samples that are. `output` is the grid of the deployed network's answers.
    """

    task: Task = Task.CLASSIFICATION
    classes: tuple[str, ...] = ()
    target: TargetAffine | None = None
    output: OutputGrid | None = None
    normal: NormalScores | None = None


def standardizing(y: NDArray[np.float64]) -> TargetAffine:
    """The affine that gives quantities [N, outputs] back from mean 0 and deviation 1."""
    return TargetAffine(
        scale=tuple(float(np.float32(v)) for v in y.std(axis=0)),
        offset=tuple(float(np.float32(v)) for v in y.mean(axis=0)),
    )


def standardized(y: NDArray[Any], affine: TargetAffine) -> NDArray[np.float32]:
    """Quantities [N, outputs] as a network is asked for them."""
    values = (y - np.array(affine.offset)) / np.array(affine.scale)
    return np.asarray(values, dtype=np.float32)
