"""Stage run for high-level synthesis: every test image through interpreter and emulated project."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from edgeflow.data.score import labels_in_unit
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.data import read_dataset
from edgeflow.pipeline.steps.files import MODEL, write_arrays, write_document
from edgeflow.pipeline.steps.generate import read_graph
from edgeflow.pipeline.steps.hls_compile import EMULATION
from edgeflow.pipeline.steps.hls_generate import read_hls_project
from edgeflow.pipeline.steps.inputs import quantized_inputs
from edgeflow.pipeline.steps.run import ANSWERS, NORMAL, find_normal_scores, write_device_run
from edgeflow.progress import ProgressEvent


def run(context: StageContext) -> None:
    """Write inputs and answers."""
    from edgeflow.devices.hls_emulation import run_emulation
    from edgeflow.graph.interpreter import run_batch

    dataset = read_dataset(context.inputs["data"])
    graph = read_graph(context.find(MODEL))
    inputs = quantized_inputs(graph, dataset, dataset.test.x)
    context.progress(ProgressEvent("run", f"interpreter, {len(inputs)} images"))
    expected = run_batch(graph, inputs)
    context.progress(ProgressEvent("run", f"emulated project, {len(inputs)} images"))
    project = read_hls_project(context.inputs["generate"])
    program = (context.inputs["compile"] / EMULATION).read_bytes()
    found = run_emulation(project, program, graph, inputs)
    answers: dict[str, NDArray[Any]] = {
        "inputs": inputs,
        "expected": expected.reshape(len(inputs), -1),
        "device": found.outputs,
    }
    labels = labels_in_unit(dataset, dataset.test)
    if labels is not None:
        answers["labels"] = labels
    write_arrays(context.output / ANSWERS, answers)
    normal = find_normal_scores(dataset, graph)
    write_document(context.output / NORMAL, normal.model_dump() if normal else None)
    write_device_run(found, context.output)
