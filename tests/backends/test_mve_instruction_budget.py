"""Instructions of the MVE kernels on an emulated Cortex-M55: exact counts, so asserted."""

from __future__ import annotations

import numpy as np
import pytest

from edgeflow.backends.firmware.codegen import generate
from edgeflow.backends.firmware.toolchain import build_image
from edgeflow.devices.device import DeviceRun, RunLimits
from edgeflow.devices.registry import device_for
from edgeflow.exchange.tflite import read
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.cost import macs
from edgeflow.graph.interpreter import run_batch
from edgeflow.graph.ir import Graph, OpKind
from tests.backends.single_layers import convolution
from tests.devices.qemu import qemu_board
from tests.shared_data import shared_file

pytestmark = pytest.mark.qemu

_BOARD = "mps3-an547"


def _run(graph: Graph) -> DeviceRun:
    target = qemu_board(_BOARD)
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    x = np.random.default_rng(1).integers(-128, 128, size=(1, *shape), dtype=np.int8)
    image = build_image(generate(graph, target.firmware.kernel_set), target)
    run = device_for(target).run(image, x, RunLimits())
    assert np.array_equal(run.outputs.reshape(-1), run_batch(graph, x).reshape(-1))
    return run


@pytest.mark.parametrize(
    ("kind", "image", "kernel", "stride", "outputs", "most"),
    [
        (OpKind.CONV_2D, (16, 16, 16), (3, 3), 1, 16, 0.18),
        (OpKind.CONV_2D, (16, 16, 3), (3, 3), 1, 16, 0.43),
        (OpKind.CONV_2D, (16, 16, 1), (5, 5), 2, 8, 0.75),
        (OpKind.CONV_2D, (8, 8, 64), (1, 1), 1, 64, 0.21),
        (OpKind.CONV_2D, (16, 16, 32), (1, 1), 2, 64, 0.30),
        (OpKind.CONV_2D, (16, 16, 8), (1, 1), 1, 16, 0.85),
        (OpKind.DEPTHWISE_CONV_2D, (16, 16, 32), (3, 3), 1, 32, 0.95),
        (OpKind.DEPTHWISE_CONV_2D, (16, 16, 32), (3, 3), 2, 32, 1.5),
        (OpKind.DEPTHWISE_CONV_2D, (16, 16, 32), (5, 5), 1, 32, 0.6),
        (OpKind.DEPTHWISE_CONV_2D, (60, 1, 32), (21, 1), 1, 32, 0.85),
    ],
)
def test_instructions_per_mac_on_a_cortex_m55(kind, image, kernel, stride, outputs, most):
    graph = convolution(kind, image, kernel, stride, outputs)
    assert _run(graph).instructions[0] / macs(graph, graph.nodes[0]) < most


# The yardstick is TensorFlow Lite Micro with CMSIS-NN: at most 0.5 times its instructions, 0.65
# times its memory and 0.25 times its flash beyond weights and biases.
@pytest.mark.parametrize(
    ("name", "instructions", "ram_bytes", "more_flash_bytes"),
    [
        ("ic_resnet8_int8", 2_405_996, 36_678, 10_710),
        ("kws_dscnn_int8", 892_945, 18_694, 11_830),
    ],
)
def test_mlperf_tiny_models_beat_the_yardstick(name, instructions, ram_bytes, more_flash_bytes):
    graph = canonicalize(read(shared_file(f"{name}.tflite").read_bytes()))
    target = qemu_board(_BOARD)
    source = generate(graph, target.firmware.kernel_set)
    image = build_image(source, target)
    run = _run(graph)
    assert run.instructions[0] <= instructions
    assert run.stack_bytes is not None
    assert source.arena_bytes + run.stack_bytes <= ram_bytes
    constants = [tensor.data for tensor in graph.tensors.values() if tensor.data is not None]
    given_bytes = sum(values.nbytes for values in constants)
    assert image.flash_bytes - given_bytes <= more_flash_bytes
