"""Sanity checks before the long run: seconds that tell whether hours would be in vain.

After Karpathy, "A Recipe for Training Neural Networks" (2019): loss at the start, one batch
overfitted, inputs that matter; and the learning-rate range test of Smith 2015 (arXiv 1506.01186).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from torch import nn

from edgeflow.data.dataset import Dataset
from edgeflow.errors import TrainingError
from edgeflow.train.options import TrainOptions


class Check(StrEnum):
    """What is looked at, in this order."""

    FINITE = "numbers are finite"
    INITIAL_LOSS = "loss before training"
    LIVING_LAYERS = "no dead layer"
    OVERFIT = "one batch can be learnt"
    GRADIENTS = "every layer gets a gradient"
    INPUT_MATTERS = "inputs matter"
    LEARNING_RATE = "learning rate"
    PREDICTIONS = "predictions differ"
    CLASS_BALANCE = "class balance"
    LABEL_NOISE = "labels agree"


@dataclass(frozen=True)
class Finding:
    """What a check saw. `cause` is the likely cause where it failed.

    `stops` tells a failure that makes training pointless from one that a user should know of.
    """

    check: Check
    passed: bool
    message: str
    cause: str = ""
    stops: bool = False


def examine(network: nn.Module, dataset: Dataset, options: TrainOptions) -> tuple[Finding, ...]:
    """Findings about an untrained network and its data, in the order of `Check`.

    Works on copies with generators of its own: neither the network nor the training that follows is
    changed. Equal arguments give equal findings. A check that an earlier failure makes meaningless
    is left out. Test and validation parts are never looked at. Runs on the CPU. Raises ModelError
    where the network does not suit the data.
    """
    from edgeflow.train.determinism import deterministic
    from edgeflow.train.sanity_data import class_balance, finite_data, label_noise
    from edgeflow.train.sanity_network import network_findings

    data = finite_data(dataset)
    hints = (*class_balance(dataset), *label_noise(dataset))
    if not data.passed:
        return (data, *hints)
    with deterministic(options.seed, options.threads) as generator:
        return (*network_findings(network, dataset, options, generator), *hints)


def require(findings: tuple[Finding, ...]) -> None:
    """Raise TrainingError for the first finding that makes training pointless."""
    for finding in findings:
        if finding.stops and not finding.passed:
            raise TrainingError(
                f"sanity check {finding.check.value!r} failed: {finding.message}",
                hint=f"likely cause: {finding.cause} ([train] sanity_checks = false trains anyway)",
            )
