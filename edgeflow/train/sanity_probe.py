"""What several sanity checks of a network measure with."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from edgeflow.data.dataset import Dataset
from edgeflow.data.task import Task
from edgeflow.train.batches import Batch, for_convolutions
from edgeflow.train.objective import Objective


def guessing_loss(dataset: Dataset, batch: Batch, objective: Objective) -> float:
    """Loss of an answer that does not look at its input.

    ln(classes); the variance of the targets (regression); the mean square of the inputs (anomaly).
    """
    shape = (len(batch), dataset.outputs)
    answer = torch.zeros(shape)
    if dataset.task is Task.REGRESSION:
        answer = batch.targets.mean(dim=0).expand(shape)
    return objective.loss(answer, batch.targets, 0.0).item()


def trainable_copy(network: nn.Module) -> nn.Module:
    """A copy in training mode without dropout, whose draws would only blur what is looked at."""
    trained = for_convolutions(copy.deepcopy(network)).train()
    for module in trained.modules():
        if isinstance(module, _DropoutNd):
            module.eval()
    return trained


def batch_loss(network: nn.Module, batch: Batch, objective: Objective) -> float:
    """Loss with statistics of the batch itself, as in training."""
    with torch.no_grad():
        return objective.loss(network(batch.x), batch.targets, 0.0).item()
