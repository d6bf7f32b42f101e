"""Many trainings at once: seeds, learning rates and widths, as vectorized programs where that pays.

Small networks leave a machine waiting for the next operator to be called. K networks that run as
one (`train.stack`) call as many operators as one network, each K times as large. Networks of equal
structure go into one program, so several widths give several programs. Zeros that pad all widths to
the largest would make it one: measured for four widths of four seeds, 2.1 times as fast for dense
networks and 1.07 times for convolutions; it is not done here.

On a CPU what is gained is the cost of calling operators, and what is lost is the cache: activations
of K networks lie in memory at once, and K groups of a convolution are slower than K convolutions
once each is large. `benchmarks/train/together.py` measures it; `gains` is the rule that follows.
Networks for which the program is not faster, or which vmap cannot run, are trained one after
another, and progress says so. On a GPU ([train] device = "cuda") all go into one program.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgeflow.data.dataset import Dataset
from edgeflow.errors import TrainingError
from edgeflow.progress import Progress, ProgressEvent, silent
from edgeflow.train.fit import TrainedNetwork, fit
from edgeflow.train.fit_stacked import Outcome, Run, fit_stacked
from edgeflow.train.options import ComputeDevice, TrainOptions
from edgeflow.train.stack import can_stack, same_structure

LARGEST_ACTIVATION_BYTES = 400_000  # of a batch of one network
LARGEST_STACK_BYTES = 8_000_000  # of the same, over all networks of a program


@dataclass(frozen=True)
class Spread:
    """Validation scores over trainings: mean, sample standard deviation, best, and how many.

    `failed` trainings, whose loss stopped being finite, are not in the figures.
    """

    mean: float
    deviation: float
    best: float
    trained: int
    failed: int


def fit_together(
    runs: Sequence[Run], dataset: Dataset, options: TrainOptions, progress: Progress = silent
) -> tuple[Outcome, ...]:
    """Every run as `fit` trains it with its seed and learning rate, in the order of `runs`.

    `options` hold for all but `seed` and `learning_rate`. A training whose loss stops being finite
    gives its TrainingError and leaves the others alone. Deterministic on one machine.
    """
    outcomes: dict[int, Outcome] = {}
    for group in _programs(runs, dataset, options, progress):
        chosen = [runs[index] for index in group]
        if len(group) == 1:
            found: Sequence[Outcome] = (_alone(chosen[0], dataset, options, progress),)
        else:
            found = fit_stacked(chosen, dataset, options, progress)
        outcomes |= dict(zip(group, found, strict=True))
    return tuple(outcomes[index] for index in range(len(runs)))


def best_of(outcomes: Sequence[Outcome]) -> tuple[int, TrainedNetwork]:
    """Index and network of the highest validation score (then lowest loss, then first).

    Raises the first TrainingError where every training failed.
    """
    trained = [(i, o) for i, o in enumerate(outcomes) if isinstance(o, TrainedNetwork)]
    if not trained:
        raise next(o for o in outcomes if isinstance(o, TrainingError))
    return max(trained, key=lambda pair: _rank(pair[1]))


def spread(outcomes: Sequence[Outcome]) -> Spread:
    """The scores of the trainings that did not fail; one at least."""
    scores = [o.validation_score for o in outcomes if isinstance(o, TrainedNetwork)]
    return Spread(
        mean=statistics.fmean(scores),
        deviation=statistics.stdev(scores) if len(scores) > 1 else 0.0,
        best=max(scores),
        trained=len(scores),
        failed=len(outcomes) - len(scores),
    )


def gains(activation_bytes: int, options: TrainOptions) -> int:
    """How many networks go into one program; 1 where it is not faster than one after another.

    `activation_bytes` are those of the largest layer's output for a batch.
    """
    if options.ema or options.mixed_precision:
        return 1
    if options.device is ComputeDevice.CUDA:
        return 2**31
    if activation_bytes > LARGEST_ACTIVATION_BYTES:
        return 1
    return LARGEST_STACK_BYTES // activation_bytes


def largest_activation_bytes(network: nn.Module, dataset: Dataset, batch_size: int) -> int:
    """Bytes of the largest output of a layer of `network` for a batch of the data's shape."""
    sizes: list[int] = []

    def note(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            sizes.append(output[0].numel() * output.element_size())

    leaves = [module for module in network.modules() if not list(module.children())]
    handles = [module.register_forward_hook(note) for module in leaves]
    height, width, channels = dataset.input_shape_hwc
    training = network.training
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, channels, height, width))
    finally:
        network.train(training)
        for handle in handles:
            handle.remove()
    return max(sizes, default=4) * batch_size


def _programs(
    runs: Sequence[Run], dataset: Dataset, options: TrainOptions, progress: Progress
) -> list[list[int]]:
    """Indices of the runs that train as one program; one index trains alone."""
    groups: list[list[int]] = []
    for index, run in enumerate(runs):
        for group in groups:
            if same_structure(runs[group[0]].network, run.network):
                group.append(index)
                break
        else:
            groups.append([index])
    programs: list[list[int]] = []
    for group in groups:
        network = runs[group[0]].network
        size = largest_activation_bytes(network, dataset, options.batch_size)
        most = gains(size, options)
        if most > 1 and not can_stack(network, dataset.input_shape_hwc):
            most, reason = 1, "their modules cannot run as one program"
        else:
            reason = "as one program they would not be faster with this size and these options"
        if most == 1 < len(group):
            message = f"{len(group)} networks train one after another: {reason}"
            progress(ProgressEvent("train", message))
        programs += [group[start : start + most] for start in range(0, len(group), most)]
    return programs


def _alone(run: Run, dataset: Dataset, options: TrainOptions, progress: Progress) -> Outcome:
    own = options.model_copy(update={"seed": run.seed, "learning_rate": run.learning_rate})
    try:
        return fit(run.network, dataset, own, progress)
    except TrainingError as error:
        return error


def _rank(trained: TrainedNetwork) -> tuple[float, float]:
    record = trained.history[trained.best_epoch - 1]
    return record.validation_score, -record.validation_loss
