"""What one model costs on one target, and whether the device answers as it must."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.devices.device import LayerInstructions
from edgeflow.figures import Figure, FigureKind, Unit
from edgeflow.graph.ir import Graph, Node
from edgeflow.targets.schema import Target

IMAGE = "the linked image"
GRAPH = "the integer graph"
ACCURACY = "accuracy"
PER_MAC = "instructions per MAC"


@dataclass(frozen=True)
class Comparison:
    """Answers of the device against another implementation: `equal` of `images`, bit for bit."""

    reference: str
    images: int
    equal: int

    @property
    def passed(self) -> bool:
        """Whether every answer is equal."""
        return self.images > 0 and self.equal == self.images


@dataclass(frozen=True)
class Accuracy:
    """Counted from the device's answers; `value` None says in `note` why there is none."""

    value: float | None
    images: int
    note: str


@dataclass(frozen=True)
class Layer:
    """One layer; `instructions` is the mean over the inferences."""

    name: str
    operator: str
    signature: str
    macs: int
    instructions: float
    weight_bytes: int


@dataclass(frozen=True)
class Measurement:
    """One model on one target. Bytes and counts; `instructions` is the mean of one inference.

    `macs` is above 0. `weight_bytes` are the weights and biases of the graph, without the constants
    of the requantization. `static_ram_bytes` contains the arena, and not the stack.
    """

    model: str
    target: str
    inputs: str
    accuracy: Accuracy
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]
    macs: int
    instructions: float
    flash_bytes: int
    weight_bytes: int
    arena_bytes: int
    static_ram_bytes: int
    stack_bytes: int
    layers: tuple[Layer, ...]
    kind: FigureKind
    device: str

    @property
    def bit_exact(self) -> bool:
        """Whether every comparison found every answer equal."""
        return bool(self.comparisons) and all(c.passed for c in self.comparisons)


def figures(measurement: Measurement) -> tuple[Figure, ...]:
    """Every number of a measurement with its unit, kind and source."""
    m = measurement

    def counted(name: str, value: float, unit: Unit) -> Figure:
        return Figure(name, value, unit, m.kind, m.device)

    def linked(name: str, value: float) -> Figure:
        return Figure(name, value, Unit.BYTES, FigureKind.MEASURED, IMAGE)

    accuracy = m.accuracy.value
    return (
        *([] if accuracy is None else [counted(ACCURACY, accuracy, Unit.FRACTION)]),
        counted("instructions per inference", m.instructions, Unit.INSTRUCTIONS),
        counted(PER_MAC, m.instructions / m.macs, Unit.COUNT),
        Figure("MACs", m.macs, Unit.COUNT, FigureKind.MEASURED, GRAPH),
        linked("flash", m.flash_bytes),
        linked("flash beyond weights and biases", m.flash_bytes - m.weight_bytes),
        linked("arena", m.arena_bytes),
        linked("static RAM", m.static_ram_bytes),
        counted("stack, high-water mark", m.stack_bytes, Unit.BYTES),
    )


def compare(reference: str, device: NDArray[np.int8], expected: NDArray[np.int8]) -> Comparison:
    """Count the equal rows of two arrays [N, ...] of answers."""
    images = len(expected)
    rows = device.reshape(images, -1) == expected.reshape(images, -1)
    return Comparison(reference, images, int(rows.all(axis=1).sum()))


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs int8 [N, ...] of a graph; `labels` int64 [N] where they are known."""

    x: NDArray[np.int8]
    labels: NDArray[np.int64] | None
    what: str


@dataclass(frozen=True, eq=False)
class Firmware:
    """An image with what it cannot say itself.

    `graph` is what it computes, layer by layer; `constant_bytes` are its weights and biases, or the
    model file where that is in flash as it is.
    """

    image: FirmwareImage
    graph: Graph
    constant_bytes: int
    arena_bytes: int


def measure(
    model: str,
    graph: Graph,
    target: Target,
    samples: Samples,
    references: tuple[tuple[str, NDArray[np.int8]], ...],
    notes: tuple[str, ...] = (),
) -> Measurement:
    """Build the firmware of a checked, canonical graph and run it on the target's device.

    Layers run row by row where a build with default options lets them. The device's answers are
    compared with the interpreter's and with those of `references`. MACs are the model's; layers and
    weights are those that firmware has, without constant channels.
    """
    from edgeflow.backends.firmware.choice import choose_segments
    from edgeflow.backends.firmware.codegen import generate
    from edgeflow.backends.firmware.options import RowExecution
    from edgeflow.backends.firmware.toolchain import build_image
    from edgeflow.graph import cost
    from edgeflow.graph.constant_channels import without_constant_channels

    compiled = without_constant_channels(graph)
    kernel_set = target.firmware.kernel_set
    segments = choose_segments(compiled, kernel_set, RowExecution.AUTO)
    source = generate(compiled, kernel_set, segments)
    firmware = Firmware(
        image=build_image(source, target),
        graph=compiled,
        constant_bytes=sum(cost.weight_bytes(compiled, node) for node in compiled.nodes),
        arena_bytes=source.arena_bytes,
    )
    macs = sum(cost.macs(graph, node) for node in graph.nodes)
    done = sum(cost.macs(compiled, node) for node in compiled.nodes)
    if done < macs:
        notes = (
            *notes,
            f"{macs - done:,} of {macs:,} multiply-accumulates are for channels that cannot change "
            "and are compiled away",
        )
    return measure_firmware(model, graph, firmware, target, samples, references, notes)


def measure_firmware(
    model: str,
    graph: Graph,
    firmware: Firmware,
    target: Target,
    samples: Samples,
    references: tuple[tuple[str, NDArray[np.int8]], ...],
    notes: tuple[str, ...],
) -> Measurement:
    """Run firmware on the target's device; `graph` is the model that it must answer like."""
    from edgeflow.devices.device import RunLimits
    from edgeflow.devices.registry import device_for
    from edgeflow.gate.verdict import accuracy
    from edgeflow.graph import cost
    from edgeflow.graph.interpreter import run_batch

    image, compiled = firmware.image, firmware.graph
    run = device_for(target).run(image, samples.x, RunLimits())
    compared = (("interpreter", run_batch(graph, samples.x)), *references)
    if samples.labels is None:
        counted = Accuracy(None, 0, "no labelled data")
    else:
        value = accuracy(run.outputs, samples.labels)
        counted = Accuracy(value, len(samples.labels), samples.what)
    nodes = {node.name: node for node in compiled.nodes}
    return Measurement(
        model=model,
        target=target.name,
        inputs=samples.what,
        accuracy=counted,
        comparisons=tuple(compare(name, run.outputs, answers) for name, answers in compared),
        notes=notes,
        macs=sum(cost.macs(graph, node) for node in graph.nodes),
        instructions=float(run.instructions.mean()),
        flash_bytes=image.flash_bytes,
        weight_bytes=firmware.constant_bytes,
        arena_bytes=firmware.arena_bytes,
        static_ram_bytes=image.ram_bytes,
        stack_bytes=image.stack_bytes if run.stack_bytes is None else run.stack_bytes,
        layers=tuple(
            _layer(compiled, nodes.get(layer.node_name), layer)
            for layer in run.layers
            if layer.node_name
        ),
        kind=run.kind,
        device=run.source,
    )


def _layer(graph: Graph, node: Node | None, counted: LayerInstructions) -> Layer:
    """One layer; `node` None is an operator that the graph folds into the next node."""
    from edgeflow.graph import cost

    return Layer(
        name=counted.node_name,
        operator=node.kind.value if node else "",
        signature=cost.signature(graph, node) if node else f"{counted.symbol}, folded by the graph",
        macs=cost.macs(graph, node) if node else 0,
        instructions=float(counted.instructions.mean()),
        weight_bytes=cost.weight_bytes(graph, node) if node else 0,
    )
