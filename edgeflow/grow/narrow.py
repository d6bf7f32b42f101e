"""A thin network that starts from what a wider twin has learnt.

"Go Wide, Then Narrow: Efficient Training of Deep Thin Networks" (Zhou, Ye, Chen, Meng, Tan, Song,
Le, Liu, Schuurmans, ICML 2020, arXiv 2007.00811), in its three stages:

1. wide learning: the network is widened and trained;
2. narrow learning: linear maps between the thin network's blocks bring their outputs to the twin's
   widths, and the thin network imitates those outputs block by block (`imitate.py`);
3. fine-tuning and merging: the maps merge into the weights behind them (`blocks.py`), which gives
   the thin network again, and the labels do the rest.

The paper fine-tunes and then merges; here the maps are merged first, because what trains, stops
early and keeps checkpoints is `fit`, on the network that will be deployed.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

from torch import nn

from edgeflow.data.dataset import Dataset
from edgeflow.grow.blocks import AdaptedNetwork, in_blocks, widened
from edgeflow.grow.imitate import Imitation, imitate
from edgeflow.grow.narrow_options import NarrowOptions
from edgeflow.nets.network import NetworkSpec, build
from edgeflow.progress import Progress, ProgressEvent, silent
from edgeflow.train.batches import for_convolutions, source
from edgeflow.train.determinism import deterministic
from edgeflow.train.device import compute_device
from edgeflow.train.fit import TrainedNetwork, fit
from edgeflow.train.options import TrainOptions


def wide_then_narrow(
    spec: NetworkSpec,
    dataset: Dataset,
    options: TrainOptions,
    narrow: NarrowOptions,
    progress: Progress = silent,
    *,
    checkpoints: Path | None = None,
) -> TrainedNetwork:
    """Train the network of `spec`, from weights that imitate a twin `narrow.width` times as wide.

    `options` are those of the last training. With a folder for `checkpoints`, an interrupted
    training of either network goes on. Raises what `fit` raises.
    """
    twin = build(widened(spec, narrow.width), options.seed)
    wide = fit(
        twin,
        dataset,
        options.model_copy(update={"epochs": narrow.wide_epochs}),
        _of_the_twin(progress),
        checkpoint=None if checkpoints is None else checkpoints / "wide",
    ).network
    thin = narrowed(spec, wide, dataset, options, narrow, progress)
    checkpoint = None if checkpoints is None else checkpoints / "thin"
    return fit(thin, dataset, options, progress, checkpoint=checkpoint)


def narrowed(
    spec: NetworkSpec,
    wide: nn.Module,
    dataset: Dataset,
    options: TrainOptions,
    narrow: NarrowOptions,
    progress: Progress = silent,
) -> nn.Module:
    """The network of `spec` that imitates `wide`, a trained network of its widened twin."""
    wide_spec, device = widened(spec, narrow.width), compute_device(options)
    with deterministic(options.seed, options.threads, device) as generator:
        adapted = AdaptedNetwork(spec, build(spec, options.seed), wide_spec)
        blocks = in_blocks(wide_spec, copy.deepcopy(wide))
        for_convolutions(adapted.to(device))
        for_convolutions(blocks.to(device))
        data = source(dataset, dataset.train, device)
        imitate(
            Imitation(adapted, blocks, data, options, narrow, generator, progress), dataset.task
        )
    thin = build(spec, options.seed)
    thin.load_state_dict(adapted.merged().state_dict())
    return thin.eval()


def _of_the_twin(progress: Progress) -> Progress:
    """Tell the twin's epochs under names of their own: they are not the deployed network's."""

    def tell(event: ProgressEvent) -> None:
        values = {f"wide_{name}": value for name, value in event.values.items()}
        progress(replace(event, message=f"wide twin, {event.message}", values=values))

    return tell
