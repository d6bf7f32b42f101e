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
    LabeledSamples,
    evaluate,
    fine_tune,
    logits_in_batches,
)
from edgeflow.quantize.freeze import freeze
from edgeflow.quantize.network import StepNetwork
from edgeflow.quantize.options import QuantizeOptions
from edgeflow.quantize.post_training import quantize_post_training
from edgeflow.quantize.trace import trace
from edgeflow.quantize.weight_bits import bits_by_layer
from edgeflow.train.determinism import deterministic

STAGE = "quantize"


class Kept(StrEnum):
    """Which of the two networks `quantize` gives."""

    POST_TRAINING = "post-training"
    FINE_TUNED = "fine-tuned"


@dataclass(frozen=True, eq=False)
class QuantizedNetwork:
    """`module` is a frozen StepNetwork, input [N, C, H, W]; accuracies are validation fractions.

    `fine_tuned_accuracy` is None without fine-tuning. `calibration_inputs` is what `lower` takes.
    """

    module: StepNetwork
    kept: Kept
    float_accuracy: float
    post_training_accuracy: float
    fine_tuned_accuracy: float | None
    calibration_inputs: NDArray[np.float32]

    @property
    def accuracy(self) -> float:
        """Validation accuracy of `module`."""
        if self.kept is Kept.FINE_TUNED and self.fine_tuned_accuracy is not None:
            return self.fine_tuned_accuracy
        return self.post_training_accuracy


def quantize(
    network: nn.Module, dataset: Dataset, options: QuantizeOptions, progress: Progress = silent
) -> QuantizedNetwork:
    """Quantize `network` to integers; calibrates and trains on train, chooses on validation.

    Fine-tuning is kept only if it is better than post-training quantization. The test part is never
    read. Raises ConfigError, ModelError, UnsupportedOperatorError, TrainingError.
    """
    with deterministic(options.seed, options.threads) as generator:
        train_x = _inputs(dataset, dataset.train)
        rows = torch.randperm(len(train_x), generator=generator)[: options.calibration_samples]
        calibration = train_x[rows.sort().values]
        _say(progress, "tracing", options)
        teacher = trace(network, calibration)
        train = _samples(teacher, train_x, dataset.train)
        validation = _samples(teacher, _inputs(dataset, dataset.validation), dataset.validation)
        reference = evaluate(teacher, validation, options.temperature)
        _say(progress, "post-training quantization", options)
        student = quantize_post_training(
            teacher, calibration, options.weight_bits, bits_by_layer(teacher, options)
        )
        post_training = evaluate(freeze(student), validation, options.temperature)
        _say(progress, "post-training quantization", options, 0, _values(post_training))

        def after_epoch(epoch: int, train_loss: float, candidate: Candidate) -> None:
            values = {"train_loss": train_loss} | _values(candidate)
            _say(progress, f"fine-tuning, epoch {epoch}", options, epoch, values)

        def after_batch(epoch: int, batch: int, batches: int, loss: float) -> None:
            message, epochs = "fine-tuning, epoch", options.epochs
            part = epoch_part(STAGE, message, epoch, epochs, batch, batches, loss)
            if part is not None:
                progress(part)

        tuned = (
            fine_tune(student, train, validation, options, generator, after_epoch, after_batch)
            if options.epochs
            else None
        )
    keep_tuned = tuned is not None and tuned.better_than(post_training)
    best = tuned if tuned is not None and keep_tuned else post_training
    return QuantizedNetwork(
        module=best.network,
        kept=Kept.FINE_TUNED if keep_tuned else Kept.POST_TRAINING,
        float_accuracy=reference.accuracy,
        post_training_accuracy=post_training.accuracy,
        fine_tuned_accuracy=None if tuned is None else tuned.accuracy,
        calibration_inputs=calibration.numpy(),
    )


def _inputs(dataset: Dataset, split: Split) -> torch.Tensor:
    return network_input(prepare(dataset.preprocessing, split.x))


def _samples(teacher: StepNetwork, x: torch.Tensor, split: Split) -> LabeledSamples:
    return LabeledSamples(x, torch.from_numpy(split.labels), logits_in_batches(teacher, x))


def _values(candidate: Candidate) -> dict[str, float]:
    return {"validation_accuracy": candidate.accuracy, "validation_loss": candidate.loss}


def _say(
    progress: Progress,
    message: str,
    options: QuantizeOptions,
    done: int = 0,
    values: dict[str, float] | None = None,
) -> None:
    progress(ProgressEvent(STAGE, message, done, options.epochs, values or {}))
