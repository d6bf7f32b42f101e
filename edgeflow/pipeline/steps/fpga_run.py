"""Stage run for FPGAs: every test image through interpreter and simulated accelerator."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from edgeflow.data.score import labels_in_unit
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.data import read_dataset
from edgeflow.pipeline.steps.files import MODEL, write_arrays, write_document
from edgeflow.pipeline.steps.fpga_generate import read_design
from edgeflow.pipeline.steps.generate import read_graph
from edgeflow.pipeline.steps.inputs import quantized_inputs
from edgeflow.pipeline.steps.run import ANSWERS, NORMAL, find_normal_scores, write_device_run
from edgeflow.progress import ProgressEvent

SIMULATED = "simulated.json"


def run(context: StageContext) -> None:
    """Write inputs, answers, and the cycles of every image."""
    from edgeflow.devices.fpga_runner import require_pace, run_design
    from edgeflow.graph.interpreter import run_batch

    def tell(message: str) -> None:
        context.progress(ProgressEvent("run", f"{message}, {len(inputs)} images"))

    dataset = read_dataset(context.inputs["data"])
    graph = read_graph(context.find(MODEL))
    inputs = quantized_inputs(graph, dataset, dataset.test.x)
    tell("interpreter")
    expected = run_batch(graph, inputs)
    tell("accelerator in simulation")
    design = read_design(context.inputs["generate"])
    found = run_design(design, graph, inputs)
    if design.lanes is None:
        tell("network in simulation, an input in every cycle")
        require_pace(design, graph, inputs, found.run)
    answers: dict[str, NDArray[Any]] = {
        "inputs": inputs,
        "expected": expected.reshape(len(inputs), -1),
        "device": found.run.outputs,
    }
    labels = labels_in_unit(dataset, dataset.test)
    if labels is not None:
        answers["labels"] = labels
    write_arrays(context.output / ANSWERS, answers)
    normal = find_normal_scores(dataset, graph)
    write_document(context.output / NORMAL, normal.model_dump() if normal else None)
    write_device_run(found.run, context.output)
    write_document(
        context.output / SIMULATED,
        {
            "least_cycles": int(found.simulation.cycles.min()),
            "most_cycles": int(found.simulation.cycles.max()),
            "input_cycles": int(found.simulation.input_cycles.max()),
            "answer_cycles": int(found.simulation.answer_cycles.max()),
        },
    )
