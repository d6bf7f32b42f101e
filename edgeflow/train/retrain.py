"""Training a pruned network again: what all methods take, and those that only the targets teach.

- Fine-tuning (Han et al. 2015, arXiv 1506.02626): from the trained weights at a low rate.
- Weight rewinding (Frankle, Dziugaite, Roy, Carbin 2020, arXiv 1912.05671): the weights that stay
  go back to what they were after an early epoch k, W_k, and train over the whole schedule; k = 0 is
  the lottery ticket of Frankle, Carbin 2019 (arXiv 1803.03635).
- Learning-rate rewinding (Renda, Frankle, Carbin 2020, arXiv 2003.02389): the trained weights stay
  and the schedule starts again.

In the papers the schedule goes on from epoch k; here it is run whole with a fresh optimizer, so
that all methods get the same number of epochs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from edgeflow.data.dataset import Dataset
from edgeflow.progress import Progress, ProgressEvent, silent
from edgeflow.train.fit import TrainedNetwork, fit
from edgeflow.train.guidance import BY_TARGETS, Batch, Guidance
from edgeflow.train.options import Schedule, TrainOptions

Prune = Callable[[nn.Module], nn.Module]

FINE_TUNING_RATE = 0.1  # of the training's


@dataclass(frozen=True, eq=False)
class DenseTraining:
    """A finished training: the untrained and the trained network, on which data and how."""

    untrained: nn.Module
    trained: nn.Module
    dataset: Dataset
    options: TrainOptions


def fine_tune(
    dense: DenseTraining,
    prune: Prune,
    progress: Progress = silent,
    guidance: Guidance = BY_TARGETS,
) -> TrainedNetwork:
    """Train what `prune` leaves of the trained network, at a tenth of the rate that falls to 0."""
    rate = FINE_TUNING_RATE * dense.options.learning_rate
    options = dense.options.model_copy(update={"learning_rate": rate, "schedule": Schedule.COSINE})
    return fit(prune(dense.trained), dense.dataset, options, progress, guidance=guidance)


def rewind_learning_rate(
    dense: DenseTraining,
    prune: Prune,
    progress: Progress = silent,
    guidance: Guidance = BY_TARGETS,
) -> TrainedNetwork:
    """Train what `prune` leaves of the trained network over the whole schedule."""
    return fit(prune(dense.trained), dense.dataset, dense.options, progress, guidance=guidance)


def rewind_weights(
    dense: DenseTraining,
    prune: Prune,
    epochs: int,
    progress: Progress = silent,
    guidance: Guidance = BY_TARGETS,
) -> TrainedNetwork:
    """Train what `prune` leaves of the network after `epochs`, over the whole schedule."""
    early = after_epochs(dense, epochs)
    return fit(prune(early), dense.dataset, dense.options, progress, guidance=guidance)


def after_epochs(dense: DenseTraining, epochs: int) -> nn.Module:
    """The network as the training had it after that many of its epochs, which run once more.

    Training is deterministic, so nothing had to be stored. `epochs` is less than all.
    """
    if epochs == 0:
        return dense.untrained
    networks: list[nn.Module] = []

    def loss(network: nn.Module, teachers: nn.Module, companion: nn.Module, batch: Batch) -> Tensor:
        networks[:] = [network]
        return batch.by_targets(network(batch.x))

    def stop(event: ProgressEvent) -> None:
        if event.done == epochs and event.message == f"epoch {epochs}":
            raise _ReachedError

    spy = Guidance("targets", loss)
    try:
        fit(dense.untrained, dense.dataset, dense.options, stop, guidance=spy)
    except _ReachedError:
        return copy.deepcopy(networks[0])
    raise AssertionError("a training has more epochs than those that are rewound to")


class _ReachedError(Exception):
    """The epoch is there: the training need not go on."""
