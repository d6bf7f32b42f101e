"""Stage run for Linux: every test image through interpreter and device, and the device's times."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgeflow.data.score import labels_in_unit
from edgeflow.devices.device import RunLimits
from edgeflow.devices.timing import LayerTime, Timing
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.data import read_dataset
from edgeflow.pipeline.steps.files import MODEL, read_document, write_arrays, write_document
from edgeflow.pipeline.steps.generate import read_graph
from edgeflow.pipeline.steps.inputs import quantized_inputs
from edgeflow.pipeline.steps.linux_compile import read_compiled
from edgeflow.pipeline.steps.run import ANSWERS, NORMAL, find_normal_scores, write_device_run
from edgeflow.progress import ProgressEvent

TIMING = "timing.json"


def run(context: StageContext) -> None:
    """Write inputs, answers, and times where the device tells them."""
    from edgeflow.devices.linux_runner import runner_for
    from edgeflow.devices.timing import time_program
    from edgeflow.graph.interpreter import run_batch

    def tell(message: str) -> None:
        context.progress(ProgressEvent("run", f"{message}, {len(inputs)} images"))

    dataset = read_dataset(context.inputs["data"])
    graph = read_graph(context.find(MODEL))
    inputs = quantized_inputs(graph, dataset, dataset.test.x)
    program = read_compiled(context.inputs["compile"])
    device = runner_for(context.plan.target, context.plan.config.build.device)
    tell("interpreter")
    expected = run_batch(graph, inputs)
    tell(f"on {device.source}")
    found = device.run(program, inputs, RunLimits())
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
    timing = None
    if device.tells_time:
        tell("time of an inference")
        timing = time_program(device, program, inputs)
        if timing.warning:
            context.progress(ProgressEvent("run", f"times are doubtful: {timing.warning}"))
    write_document(context.output / TIMING, asdict(timing) if timing else None)


def read_timing(folder: Path) -> Timing | None:
    """The times that the device told; None where it tells none."""
    document = read_document(folder / TIMING)
    if document is None:
        return None
    layers = tuple(LayerTime(**row) for row in document.pop("layers"))
    return Timing(layers=layers, **document)
