"""Pruning and training again by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import nn

from edgeflow.nets.network import NetworkSpec
from edgeflow.progress import Progress, silent
from edgeflow.train.fit import TrainedNetwork
from edgeflow.train.guidance import BY_TARGETS, Guidance
from edgeflow.train.kd_ticket import kd_ticket
from edgeflow.train.prune import baked, magnitude_masks, masked
from edgeflow.train.prune_channels import least_important_go, narrow
from edgeflow.train.prune_options import PruneMethod, PruneOptions, PruneStructure
from edgeflow.train.retrain import (
    DenseTraining,
    Prune,
    fine_tune,
    rewind_learning_rate,
    rewind_weights,
)

FROM_TRAINED_WEIGHTS = (PruneMethod.FINE_TUNE, PruneMethod.LEARNING_RATE_REWIND)


@dataclass(frozen=True, eq=False)
class Pruned:
    """`before` is what pruning left of the trained network; `spec` is None for a user's module."""

    trained: TrainedNetwork
    before: nn.Module
    spec: NetworkSpec | None


def prune_and_retrain(
    dense: DenseTraining,
    spec: NetworkSpec | None,
    options: PruneOptions,
    progress: Progress = silent,
    guidance: Guidance = BY_TARGETS,
) -> Pruned:
    """Prune a trained network and train what is left again, both as `options` say.

    `spec` is the network's, None for one that edgeflow did not make. `guidance` teaches where the
    method's own is the targets.
    """
    smaller = spec
    if options.structure is PruneStructure.CHANNELS:
        assert spec is not None, "checked by the plan: channels are pruned in networks of cells"
        smaller, prune = _without_channels(spec, dense.trained, options.sparsity)
    else:
        masks = magnitude_masks(dense.trained, options.sparsity)

        def prune(network: nn.Module) -> nn.Module:
            return masked(network, masks)

    trained = _METHODS[options.method](dense, prune, options, progress, guidance)
    plain = TrainedNetwork(
        baked(trained.network), trained.history, trained.best_epoch, trained.validation_score
    )
    return Pruned(plain, baked(prune(dense.trained)), smaller)


def _without_channels(
    spec: NetworkSpec, trained: nn.Module, sparsity: float
) -> tuple[NetworkSpec, Prune]:
    assert isinstance(trained, nn.Sequential)
    kept = least_important_go(spec, trained, sparsity)

    def prune(network: nn.Module) -> nn.Module:
        assert isinstance(network, nn.Sequential)
        return narrow(spec, network, kept)[1]

    return narrow(spec, trained, kept)[0], prune


_Method = Callable[[DenseTraining, Prune, PruneOptions, Progress, Guidance], TrainedNetwork]

_METHODS: Mapping[PruneMethod, _Method] = {
    PruneMethod.FINE_TUNE: lambda dense, prune, options, progress, guidance: fine_tune(
        dense, prune, progress, guidance
    ),
    PruneMethod.LEARNING_RATE_REWIND: lambda dense, prune, options, progress, guidance: (
        rewind_learning_rate(dense, prune, progress, guidance)
    ),
    PruneMethod.REWIND: lambda dense, prune, options, progress, guidance: rewind_weights(
        dense, prune, options.rewind_epochs, progress, guidance
    ),
    PruneMethod.KD_TICKET: lambda dense, prune, options, progress, guidance: kd_ticket(
        dense,
        prune,
        epochs=options.rewind_epochs,
        temperature=options.temperature,
        soft_weight=options.soft_weight,
        progress=progress,
    ),
}
