"""Float network to frozen fake-quantized network: NNCF post-training, then fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgeflow.data.dataset import Dataset, Split, prepare
from edgeflow.nets.layout import network_input
from edgeflow.progress import Progress, ProgressEvent, epoch_part, silent
from edgeflow.quantize.fine_tune import (
    Candidate,
    Samples,
    evaluate,
    fine_tune,
    outputs_in_batches,
)
from edgeflow.quantize.freeze import freeze
from edgeflow.quantize.network import StepNetwork
from edgeflow.quantize.options import QuantizeOptions
from edgeflow.quantize.post_training import quantize_post_training
from edgeflow.quantize.trace import trace
from edgeflow.quantize.weight_bits import bits_by_layer
from edgeflow.train.determinism import deterministic
from edgeflow.train.objective import OBJECTIVES, Objective

STAGE = "quantize"


class Kept(StrEnum):
    """Which of the two networks `quantize` gives."""

    POST_TRAINING = "post-training"
    FINE_TUNED = "fine-tuned"


@dataclass(frozen=True, eq=False)
class QuantizedNetwork:
    """`module` is a frozen StepNetwork, input [N, C, H, W]; scores are the task's on validation.

    `fine_tuned_score` is None without fine-tuning. `post_training_outputs` and `fine_tuned_outputs`
    are those on validation, [N, outputs]. `calibration_inputs` is what `lower` takes.
    """

    module: StepNetwork
    kept: Kept
    float_score: float
    post_training_score: float
    fine_tuned_score: float | None
    post_training_outputs: NDArray[np.float32]
    fine_tuned_outputs: NDArray[np.float32] | None
    calibration_inputs: NDArray[np.float32]

    @property
    def score(self) -> float:
        """Score of `module` on validation."""
        if self.kept is Kept.FINE_TUNED and self.fine_tuned_score is not None:
            return self.fine_tuned_score
        return self.post_training_score


def quantize(
    network: nn.Module,
    dataset: Dataset,
    options: QuantizeOptions,
    progress: Progress = silent,
    *,
    taught_by: nn.Module | None = None,
) -> QuantizedNetwork:
    """Quantize `network` to integers; calibrates and trains on train, chooses on validation.

    Fine-tuning distils from `network` itself, or from `taught_by` where it is given. It is kept
    only if it is better than post-training quantization. The test part is never read. Raises
    ConfigError, ModelError, UnsupportedOperatorError, TrainingError.
    """
    objective = OBJECTIVES[dataset.task]
    with deterministic(options.seed, options.threads) as generator:
        train_x = _inputs(dataset, dataset.train)
        rows = torch.randperm(len(train_x), generator=generator)[: options.calibration_samples]
        calibration = train_x[rows.sort().values]
        _say(progress, "tracing", options)
        teacher = trace(network, calibration)
        source = teacher if taught_by is None else trace(taught_by, calibration)
        train = _samples(source, objective, train_x, dataset.train)
        held_out = dataset.validation
        validation = _samples(teacher, objective, _inputs(dataset, held_out), held_out)
        reference = evaluate(teacher, validation, objective, options.temperature)

        def values(candidate: Candidate) -> dict[str, float]:
            return {
                f"validation_{objective.score_name}": candidate.score,
                "validation_loss": candidate.distance,
            }

        _say(progress, "post-training quantization", options)
        student = quantize_post_training(
            teacher, calibration, options.weight_bits, bits_by_layer(teacher, options)
        )
        post_training = evaluate(freeze(student), validation, objective, options.temperature)
        _say(progress, "post-training quantization", options, 0, values(post_training))

        def after_epoch(epoch: int, train_loss: float, candidate: Candidate) -> None:
            told = {"train_loss": train_loss} | values(candidate)
            _say(progress, f"fine-tuning, epoch {epoch}", options, epoch, told)

        def after_batch(epoch: int, batch: int, batches: int, loss: float) -> None:
            message, epochs = "fine-tuning, epoch", options.epochs
            part = epoch_part(STAGE, message, epoch, epochs, batch, batches, loss)
            if part is not None:
                progress(part)

        tuned = (
            fine_tune(
                student, train, validation, objective, options, generator, after_epoch, after_batch
            )
            if options.epochs
            else None
        )
    keep_tuned = tuned is not None and tuned.better_than(post_training)
    best = tuned if tuned is not None and keep_tuned else post_training
    return QuantizedNetwork(
        module=best.network,
        kept=Kept.FINE_TUNED if keep_tuned else Kept.POST_TRAINING,
        float_score=reference.score,
        post_training_score=post_training.score,
        fine_tuned_score=None if tuned is None else tuned.score,
        post_training_outputs=post_training.outputs.numpy(),
        fine_tuned_outputs=None if tuned is None else tuned.outputs.numpy(),
        calibration_inputs=calibration.numpy(),
    )


def _inputs(dataset: Dataset, split: Split) -> torch.Tensor:
    return network_input(prepare(dataset.preprocessing, split.x))


def _samples(teacher: StepNetwork, objective: Objective, x: torch.Tensor, split: Split) -> Samples:
    return Samples(x, objective.targets(split, x), outputs_in_batches(teacher, x))


def _say(
    progress: Progress,
    message: str,
    options: QuantizeOptions,
    done: int = 0,
    values: dict[str, float] | None = None,
) -> None:
    progress(ProgressEvent(STAGE, message, done, options.epochs, values or {}))
