"""Stage run: every test image through interpreter, device and host."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.data.dataset import Dataset
from edgeflow.data.postprocessing import NormalScores
from edgeflow.data.score import labels_in_unit
from edgeflow.data.task import Task
from edgeflow.devices.cycle_model import CycleEstimate, estimate_cycles
from edgeflow.devices.device import Device, DeviceRun, LayerInstructions, RunLimits
from edgeflow.figures import FigureKind
from edgeflow.gate.scoring import normal_scores, scoring_of
from edgeflow.graph.ir import Graph
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.compile import HOST, HOST_LIBRARY, read_firmware
from edgeflow.pipeline.steps.data import read_dataset
from edgeflow.pipeline.steps.files import (
    MODEL,
    read_arrays,
    read_document,
    write_arrays,
    write_document,
)
from edgeflow.pipeline.steps.generate import read_graph
from edgeflow.pipeline.steps.inputs import quantized_inputs
from edgeflow.progress import ProgressEvent

ANSWERS = "answers.npz"
COUNTS = "counts.npz"
RUN = "run.json"
CYCLES = "cycles.json"
NORMAL = "normal.json"
NORMAL_SAMPLES = 1000
MAX_PARTS = 50
IMAGES_PER_PART = 32


def run(context: StageContext) -> None:
    """Write inputs, the answers of all, and the device's instruction counts."""
    from edgeflow.devices.registry import device_for
    from edgeflow.graph.interpreter import run_batch

    def tell(message: str) -> None:
        context.progress(ProgressEvent("run", f"{message}, {len(inputs)} images"))

    dataset = read_dataset(context.inputs["data"])
    graph = read_graph(context.find(MODEL))
    inputs = quantized_inputs(graph, dataset, dataset.test.x)
    image = read_firmware(context.inputs["compile"])
    tell("interpreter")
    expected = run_batch(graph, inputs)
    device = _run_in_parts(device_for(context.plan.target), image, inputs, context)
    cycles = estimate_cycles(context.plan.target, image, inputs[:1], RunLimits())
    write_document(context.output / CYCLES, asdict(cycles) if cycles else None)
    answers: dict[str, NDArray[Any]] = {
        "inputs": inputs,
        "expected": expected.reshape(len(inputs), -1),
        "device": device.outputs.reshape(len(inputs), -1),
    }
    if (context.inputs["compile"] / HOST_LIBRARY).is_file():
        tell("this host")
        answers["host"] = _run_on_host(context.inputs["compile"], image, inputs)
    labels = labels_in_unit(dataset, dataset.test)
    if labels is not None:
        answers["labels"] = labels
    write_arrays(context.output / ANSWERS, answers)
    normal = find_normal_scores(dataset, graph)
    write_document(context.output / NORMAL, normal.model_dump() if normal else None)
    write_device_run(device, context.output)


def find_normal_scores(dataset: Dataset, graph: Graph) -> NormalScores | None:
    """Anomaly scores of the validation part, by the interpreter; None for other tasks."""
    from edgeflow.graph.interpreter import run_batch

    if dataset.task is not Task.ANOMALY or not len(dataset.validation):
        return None
    inputs = quantized_inputs(graph, dataset, dataset.validation.x[:NORMAL_SAMPLES])
    scoring = scoring_of(graph, dataset.postprocessing, inputs)
    return normal_scores(run_batch(graph, inputs), scoring)


def read_normal_scores(folder: Path) -> NormalScores | None:
    """What `run` found of normal samples."""
    document = read_document(folder / NORMAL)
    return NormalScores.model_validate(document) if document else None


def _run_on_host(folder: Path, image: FirmwareImage, inputs: NDArray[np.int8]) -> NDArray[np.int8]:
    """The answers of the same code on this host, int8 [N, output bytes]."""
    from edgeflow.backends.firmware.toolchain import HostLibrary
    from edgeflow.devices.host import HostDevice

    library = HostLibrary(
        (folder / HOST_LIBRARY).read_bytes(),
        read_document(folder / HOST)["suffix"],
        image.input_bytes,
        image.output_bytes,
    )
    return HostDevice().run(library, inputs, RunLimits()).outputs.reshape(len(inputs), -1)


def _run_in_parts(
    device: Device[FirmwareImage],
    image: FirmwareImage,
    inputs: NDArray[np.int8],
    context: StageContext,
) -> DeviceRun:
    """One run after another, so that it can be seen how far the device is; joined to one."""
    count = len(inputs)
    parts = np.array_split(inputs, max(1, min(MAX_PARTS, count // IMAGES_PER_PART)))
    runs: list[DeviceRun] = []
    done = 0
    for part in parts:
        message = f"on {context.plan.target.name}"
        context.progress(ProgressEvent("run", message, done, count))
        runs.append(device.run(image, part, RunLimits()))
        done += len(part)
    stacks = [run.stack_bytes for run in runs if run.stack_bytes is not None]
    layers = tuple(
        replace(rows[0], instructions=np.concatenate([row.instructions for row in rows]))
        for rows in zip(*(run.layers for run in runs), strict=True)
    )
    return replace(
        runs[0],
        outputs=np.concatenate([run.outputs for run in runs]),
        instructions=np.concatenate([run.instructions for run in runs]),
        layers=layers,
        stack_bytes=max(stacks) if stacks else None,
    )


def write_device_run(device: DeviceRun, folder: Path) -> None:
    """Write what a device counted."""
    layers = np.array([layer.instructions for layer in device.layers], dtype=np.int64)
    write_arrays(folder / COUNTS, {"instructions": device.instructions, "layers": layers})
    write_document(
        folder / RUN,
        {
            "layers": [[layer.symbol, layer.node_name] for layer in device.layers],
            "stack_bytes": device.stack_bytes,
            "kind": device.kind.value,
            "source": device.source,
        },
    )


def read_cycles(folder: Path) -> CycleEstimate | None:
    """The estimated cycles of the first test image; None for a core without a cycle model."""
    document = read_document(folder / CYCLES)
    return CycleEstimate(**document) if document else None


def read_device_run(folder: Path) -> DeviceRun:
    """What `write_device_run` wrote, with the device's answers."""
    counts = read_arrays(folder / COUNTS)
    document = read_document(folder / RUN)
    layers = tuple(
        LayerInstructions(symbol, node_name, row)
        for (symbol, node_name), row in zip(document["layers"], counts["layers"], strict=True)
    )
    outputs: NDArray[np.int8] = read_arrays(folder / ANSWERS)["device"]
    return DeviceRun(
        outputs=outputs,
        instructions=counts["instructions"],
        layers=layers,
        stack_bytes=document["stack_bytes"],
        kind=FigureKind(document["kind"]),
        source=document["source"],
    )
