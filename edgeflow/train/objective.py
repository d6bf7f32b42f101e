"""What training lowers and what picks the best epoch, by task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from edgeflow.data.dataset import Split
from edgeflow.data.task import Task
from edgeflow.train.soft_loss import soft_loss


@dataclass(frozen=True)
class Objective:
    """Functions of outputs [N, outputs] and targets of a batch.

    `loss(outputs, targets, label_smoothing)` is a mean over samples, also under `torch.func.vmap`;
    `score` is larger for better networks, and `score_name` is what it is called in progress values.
    `targets(split, x)` are the targets of prepared samples x [N, C, H, W]; where `rebuilds_input`
    they are the samples themselves, and a batch that is changed (augmented) has other targets.
    `distance(outputs, teacher, temperature)` is a mean over samples of how far outputs are from
    another network's; no gradient flows into `teacher`.
    """

    loss: Callable[[Tensor, Tensor, float], Tensor]
    score: Callable[[Tensor, Tensor], float]
    score_name: str
    targets: Callable[[Split, Tensor], Tensor]
    distance: Callable[[Tensor, Tensor, float], Tensor]
    rebuilds_input: bool = False


def _cross_entropy(outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
    """Targets are labels [N], or probabilities [N, classes] (mixup)."""
    return functional.cross_entropy(outputs, targets, label_smoothing=label_smoothing)


def _accuracy(outputs: Tensor, targets: Tensor) -> float:
    return float((outputs.argmax(dim=1) == targets).double().mean())


def _labels(split: Split, x: Tensor) -> Tensor:
    return torch.from_numpy(split.labels)


def _mean_square(outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
    """Mean over samples and outputs; there are no labels to smooth."""
    return functional.mse_loss(outputs, targets)


def _mean_square_distance(outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Outputs are quantities, not logits: nothing is softened."""
    return functional.mse_loss(outputs, teacher.detach())


def _r2(outputs: Tensor, targets: Tensor) -> float:
    """Coefficient of determination, mean over the columns (as scikit-learn's r2_score)."""
    wrong, spread = _squares(outputs, targets)
    return float((1.0 - wrong / spread).mean())


def _r2_of_all(outputs: Tensor, targets: Tensor) -> float:
    """Part of the whole variance that is rebuilt: largest where the mean square is smallest."""
    wrong, spread = _squares(outputs, targets)
    return float(1.0 - wrong.sum() / spread.sum())


def _squares(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Sums of squares of each column: what is wrong, and what lies around the mean (never 0)."""
    targets = targets.double()
    wrong = (outputs.double() - targets).square().sum(dim=0)
    spread = (targets - targets.mean(dim=0)).square().sum(dim=0)
    return wrong, spread.clamp_min(torch.finfo(torch.float32).eps)


def _quantities(split: Split, x: Tensor) -> Tensor:
    return torch.from_numpy(split.quantities)


def _input_again(split: Split, x: Tensor) -> Tensor:
    """Elements in the order of the device's input: height, width, channel."""
    return x.permute(0, 2, 3, 1).flatten(1)


OBJECTIVES: Mapping[Task, Objective] = {
    Task.CLASSIFICATION: Objective(_cross_entropy, _accuracy, "accuracy", _labels, soft_loss),
    Task.REGRESSION: Objective(_mean_square, _r2, "r2", _quantities, _mean_square_distance),
    Task.ANOMALY: Objective(
        _mean_square, _r2_of_all, "r2", _input_again, _mean_square_distance, rebuilds_input=True
    ),
}
