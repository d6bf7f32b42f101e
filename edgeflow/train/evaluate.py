"""Logits and accuracy of a float (or fake-quantized) network, in batches."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgeflow.nets.layout import network_input


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
    return float((logits(network, x, batch_size).argmax(axis=1) == y).mean())
