"""What training lowers and what picks the best epoch, by task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from edgeflow.data.dataset import Split
from edgeflow.data.task import Task


@dataclass(frozen=True)
class Objective:
    """Functions of outputs [N, outputs] and targets of a batch.

    `loss(outputs, targets, label_smoothing)` is a mean over samples, also under `torch.func.vmap`;
    `score` is larger for better networks, and `score_name` is what it is called in progress values.
    `targets(split, x)` are the targets of prepared samples x [N, C, H, W].
    """

    loss: Callable[[Tensor, Tensor, float], Tensor]
    score: Callable[[Tensor, Tensor], float]
    score_name: str
    targets: Callable[[Split, Tensor], Tensor]


def _cross_entropy(outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
    return functional.cross_entropy(outputs, targets, label_smoothing=label_smoothing)


def _accuracy(outputs: Tensor, targets: Tensor) -> float:
    return float((outputs.argmax(dim=1) == targets).double().mean())


def _labels(split: Split, x: Tensor) -> Tensor:
    return torch.from_numpy(split.labels)


OBJECTIVES: Mapping[Task, Objective] = {
    Task.CLASSIFICATION: Objective(_cross_entropy, _accuracy, "accuracy", _labels),
}
