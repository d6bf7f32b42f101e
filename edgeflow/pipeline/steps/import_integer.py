"""Stage import: an integer model that the user brings, checked and in one form."""

from __future__ import annotations

import math

from edgeflow.errors import DataError
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.data import read_dataset
from edgeflow.pipeline.steps.files import MODEL
from edgeflow.pipeline.steps.inputs import quantized_inputs
from edgeflow.pipeline.steps.network import integer_network


def run(context: StageContext) -> None:
    """Read the model, compare its input and output with the data, and write it as .tflite."""
    from edgeflow.exchange import tflite

    dataset = read_dataset(context.inputs["data"])
    graph = integer_network(context, dataset).graph
    quantized_inputs(graph, dataset, dataset.test.x[:1])
    outputs = math.prod(graph.tensors[graph.outputs[0]].shape)
    if outputs != len(dataset.classes):
        raise DataError(
            f"the model {context.plan.model_name} gives {outputs} outputs and the data "
            f"{dataset.name} has {len(dataset.classes)} classes",
            hint="bring the data that the model was trained for with --data",
        )
    (context.output / MODEL).write_bytes(tflite.write(graph))
