"""Stage import: an integer model that the user brings, checked and in one form."""

from __future__ import annotations

import math

import numpy as np

from edgeflow.data.dataset import Dataset, prepare, wanted_outputs
from edgeflow.data.options import Scaling
from edgeflow.errors import DataError
from edgeflow.graph.ir import Graph
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.data import read_dataset
from edgeflow.pipeline.steps.files import MODEL
from edgeflow.pipeline.steps.inputs import input_range, quantized_inputs
from edgeflow.pipeline.steps.network import integer_network
from edgeflow.progress import ProgressEvent

SAMPLES = 256
LEVELS_LOST = 8
MOST_CLIPPED = 0.05
MOST_CLIPPED_IF_STATED = 0.5
CLIPPING_MARGIN = 0.1  # of the input's range: quantizers cut a little off on purpose


def run(context: StageContext) -> None:
    """Read the model, compare its input and output with the data, and write it as .tflite."""
    from edgeflow.exchange import tflite

    dataset = read_dataset(context.inputs["data"])
    graph = integer_network(context, dataset).graph
    _check_scaling(graph, dataset, context)
    if dataset.test.y is None:
        message = f"{dataset.name} has no labels: no accuracy is counted"
        context.progress(ProgressEvent("import", message))
    else:
        _check_outputs(graph, dataset, context)
    (context.output / MODEL).write_bytes(tflite.write(graph))


def _check_outputs(graph: Graph, dataset: Dataset, context: StageContext) -> None:
    """Refuse labelled data that asks for other outputs: their score would mean nothing."""
    outputs = math.prod(graph.tensors[graph.outputs[0]].shape)
    if outputs != dataset.outputs:
        raise DataError(
            f"the model {context.plan.model_name} gives {outputs} outputs and the data "
            f"{dataset.name} has {wanted_outputs(dataset)}",
            hint="bring the data that the model was trained for with --data; a model that is no "
            "classifier may have another [data] task, or run on an .npz without labels (x alone)",
        )


def _check_scaling(graph: Graph, dataset: Dataset, context: StageContext) -> None:
    """Refuse data that the input's quantization makes almost constant, or clips.

    Such a build would pass, bit for bit, and recognise nothing. A user who states the scaling may
    have half of the values clipped.
    """
    samples = dataset.test.x[:SAMPLES]
    levels = np.unique(quantized_inputs(graph, dataset, samples)).size
    given = min(256, np.unique(samples).size)
    low, high = input_range(graph)
    values = prepare(dataset.preprocessing, samples)
    margin = CLIPPING_MARGIN * (high - low)
    clipped = float(np.mean((values < low - margin) | (values > high + margin)))
    stated = context.plan.config.data.scaling is not Scaling.AUTO
    limit = MOST_CLIPPED_IF_STATED if stated else MOST_CLIPPED
    context.progress(
        ProgressEvent(
            "import",
            f"input holds {low:.4g} to {high:.4g}, the data lies in "
            f"{values.min():.4g} to {values.max():.4g}",
        )
    )
    if levels * LEVELS_LOST < given or clipped > limit:
        raise DataError(
            f"the data {dataset.name} does not suit the input of {graph.name}: scaled, it lies in "
            f"{values.min():.4g} to {values.max():.4g}, and the input holds {low:.4g} to "
            f"{high:.4g}; {levels} different int8 values are left, and {clipped:.0%} is clipped",
            hint="set [data] scaling (none: values as they are) or value_range to what the model "
            "was trained with",
        )
