"""Stage import: an integer model that the user brings, checked and in one form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from edgeflow.errors import DataError, ModelError
from edgeflow.graph.ir import Graph
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.data import read_dataset
from edgeflow.pipeline.steps.files import MODEL
from edgeflow.pipeline.steps.inputs import quantized_inputs

MAX_MODEL_BYTES = 512 * 1024 * 1024


def run(context: StageContext) -> None:
    """Read the model, compare its input and output with the data, and write it as .tflite."""
    from edgeflow.exchange import tflite

    graph = read_model(Path(context.plan.config.build.model).expanduser())
    dataset = read_dataset(context.inputs["data"])
    quantized_inputs(graph, dataset, dataset.test.x[:1])
    outputs = _elements(graph, graph.outputs[0])
    if outputs != len(dataset.classes):
        raise DataError(
            f"the model {context.plan.model_name} gives {outputs} outputs and the data "
            f"{dataset.name} has {len(dataset.classes)} classes",
            hint="bring the data that the model was trained for with --data",
        )
    (context.output / MODEL).write_bytes(tflite.write(graph))


def read_model(path: Path) -> Graph:
    """The integer graph of a .tflite or QDQ .onnx file with one input and one output."""
    try:
        if path.stat().st_size > MAX_MODEL_BYTES:
            raise ModelError(
                f"{path} is larger than {MAX_MODEL_BYTES} bytes", hint="bring a smaller model"
            )
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read: {error.strerror}", hint="check the path and permissions"
        ) from error
    graph = _readers()[path.suffix.lower()](content)
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise ModelError(
            f"{path} has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs",
            hint="a model needs one input and one output",
        )
    return graph


def _readers() -> Mapping[str, Callable[[bytes], Graph]]:
    from edgeflow.exchange import onnx_qdq, tflite

    return {".tflite": tflite.read, ".onnx": onnx_qdq.read}


def _elements(graph: Graph, name: str) -> int:
    count = 1
    for size in graph.tensors[name].shape:
        count *= size
    return count
