"""Outputs and scores of a float (or fake-quantized) network, in batches."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgeflow.data import score
from edgeflow.data.dataset import Dataset, Split, prepare
from edgeflow.data.score import Score, scores, truth_of
from edgeflow.nets.layout import network_input
from edgeflow.train.objective import OBJECTIVES


def logits(
    network: nn.Module, x: NDArray[np.float32], batch_size: int = 256
) -> NDArray[np.float32]:
    """Outputs [N, outputs] of `network` in evaluation mode for prepared samples NHWC."""
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            batches = [
                network(network_input(x[start : start + batch_size])).numpy()
                for start in range(0, len(x), batch_size)
            ]
    finally:
        network.train(was_training)
    return np.concatenate(batches)


def accuracy(
    network: nn.Module, x: NDArray[np.float32], y: NDArray[np.int64], batch_size: int = 256
) -> float:
    """Fraction of prepared samples (NHWC) whose largest logit is at the label."""
    return score.accuracy(logits(network, x, batch_size), y)


def evaluate(network: nn.Module, dataset: Dataset, split: Split) -> tuple[Score, ...]:
    """The scores of the data's task on a part of the data, the one that counts first."""
    outputs = logits(network, prepare(dataset.preprocessing, split.x))
    return scores(outputs, truth_of(dataset, split))


def objective_score(network: nn.Module, dataset: Dataset, split: Split) -> float:
    """The score by which training chooses, on a part of the data."""
    objective = OBJECTIVES[dataset.task]
    x = prepare(dataset.preprocessing, split.x)
    targets = objective.targets(split, network_input(x))
    return objective.score(torch.from_numpy(logits(network, x)), targets)
