"""What an integer network gives and takes on a target: accuracy, instructions, flash, RAM."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeflow.backends.firmware.choice import choose_segments
from edgeflow.backends.firmware.codegen import generate
from edgeflow.backends.firmware.options import RowExecution
from edgeflow.backends.firmware.toolchain import build_host_library, build_image
from edgeflow.data.dataset import Dataset
from edgeflow.data.score import accuracy
from edgeflow.devices.device import RunLimits
from edgeflow.devices.host import HostDevice
from edgeflow.devices.registry import device_for
from edgeflow.graph.constant_channels import without_constant_channels
from edgeflow.graph.ir import Graph
from edgeflow.pipeline.steps.generate import arena_limit_bytes
from edgeflow.pipeline.steps.inputs import quantized_inputs
from edgeflow.targets.schema import KernelSet, Target


@dataclass(frozen=True)
class Counted:
    """One network on a target.

    `accuracy` is that of all `images` of the test part, by the generated C code on this host;
    `device_images` of them ran on the emulated device too, and `equal` gave the same bytes.
    Instructions, flash and RAM (with the stack) are the device's.
    """

    accuracy: float
    images: int
    device_accuracy: float
    device_images: int
    equal: int
    instructions: int
    flash_bytes: int
    ram_bytes: int


def validation_accuracy(graph: Graph, dataset: Dataset) -> float:
    """Accuracy on the validation part, by the generated C code on this host."""
    library = build_host_library(generate(without_constant_channels(graph), KernelSet.PORTABLE_C))
    inputs = quantized_inputs(graph, dataset, dataset.validation.x)
    answers = HostDevice().run(library, inputs, RunLimits()).outputs
    return accuracy(answers, dataset.validation.labels)


def counted(graph: Graph, dataset: Dataset, target: Target, device_images: int) -> Counted:
    """Build `graph` for `target` as a build does, run it here and on the emulated device."""
    narrowed = without_constant_channels(graph)
    kernel_set = target.firmware.kernel_set
    limit = arena_limit_bytes(target, None)
    segments = choose_segments(narrowed, kernel_set, RowExecution.AUTO, limit)
    source = generate(narrowed, kernel_set, segments)
    image = build_image(source, target)
    test = dataset.test
    inputs = quantized_inputs(graph, dataset, test.x)
    here = HostDevice().run(build_host_library(source), inputs, RunLimits()).outputs
    on_device = device_for(target).run(image, inputs[:device_images], RunLimits())
    same = (on_device.outputs == here[:device_images]).all(axis=1)
    stack = image.stack_bytes if on_device.stack_bytes is None else on_device.stack_bytes
    return Counted(
        accuracy=accuracy(here, test.labels),
        images=len(here),
        device_accuracy=accuracy(on_device.outputs, test.labels[:device_images]),
        device_images=len(on_device.outputs),
        equal=int(np.count_nonzero(same)),
        instructions=int(on_device.instructions.max()),
        flash_bytes=image.flash_bytes,
        ram_bytes=image.ram_bytes + stack,
    )
