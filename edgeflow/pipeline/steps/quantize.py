"""Stage quantize: post-training quantization, fine-tuning, and lowering to the integer graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.data.dataset import Dataset
from edgeflow.data.score import scores, truth_of
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.data import read_dataset
from edgeflow.pipeline.steps.files import MODEL, QUANTIZED_SCORES, write_document
from edgeflow.pipeline.steps.recorder import EpochRecorder
from edgeflow.pipeline.steps.scored import score_document
from edgeflow.pipeline.steps.teacher import read_teacher
from edgeflow.pipeline.steps.train import read_network

if TYPE_CHECKING:
    from torch import nn

    from edgeflow.quantize.options import QuantizeOptions


def run(context: StageContext) -> None:
    """Quantize the float network and write its integer graph."""
    dataset = read_dataset(context.inputs["data"])
    teacher = read_teacher(context, dataset)
    quantize_network(context, dataset, context.plan.config.quantize, teacher)


def quantize_network(
    context: StageContext, dataset: Dataset, options: QuantizeOptions, teacher: nn.Module | None
) -> None:
    """Quantize what stage train wrote, and write the integer graph and the scores."""
    from edgeflow.exchange import tflite
    from edgeflow.lower.export import lower
    from edgeflow.quantize.flow import quantize

    network = read_network(context, dataset)
    record = EpochRecorder("fine-tuning", context.progress)
    quantized = quantize(network, dataset, options, record, taught_by=teacher)
    graph = lower(quantized.module, quantized.calibration_inputs, context.plan.model_name)
    (context.output / MODEL).write_bytes(tflite.write(graph))
    write_document(
        context.output / QUANTIZED_SCORES,
        {
            "kept": quantized.kept.value,
            "post_training": _scored(quantized.post_training_outputs, dataset),
            "fine_tuned": _scored(quantized.fine_tuned_outputs, dataset),
            "epochs": record.rows,
        },
    )


def _scored(outputs: NDArray[np.float32] | None, dataset: Dataset) -> dict[str, Any] | None:
    """The scores of outputs for the validation part."""
    if outputs is None:
        return None
    truth = truth_of(dataset, dataset.validation)
    return score_document(scores(outputs, truth), len(dataset.validation))
