"""Instructions of the kernels on an emulated Cortex-M4: exact counts, so asserted."""

from __future__ import annotations

import numpy as np
import pytest

from edgeflow.backends.firmware.codegen import generate
from edgeflow.backends.firmware.toolchain import build_image
from edgeflow.devices.device import RunLimits
from edgeflow.devices.registry import device_for
from edgeflow.exchange.tflite import read
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.checker import check
from edgeflow.graph.cost import macs
from edgeflow.graph.interpreter import run_batch
from edgeflow.graph.ir import Conv2D, DType, Graph, Node, OpKind, Quantization, Tensor, Window
from edgeflow.targets.registry import load
from edgeflow.targets.schema import KernelSet
from tests.shared_data import shared_file

_SIDE = 8


def _convolution(kind: OpKind, kernel: int, channels: int) -> Graph:
    depthwise = kind is OpKind.DEPTHWISE_CONV_2D
    shape = (1, kernel, kernel, channels) if depthwise else (channels, kernel, kernel, channels)
    rng = np.random.default_rng(0)
    weights = rng.integers(-127, 128, size=shape, dtype=np.int8)
    bias = rng.integers(-1000, 1000, size=channels, dtype=np.int32)
    pad = kernel // 2
    window = Window(pad_top=pad, pad_bottom=pad, pad_left=pad, pad_right=pad)
    image, unit = (1, _SIDE, _SIDE, channels), Quantization((2.0**-7,), (0,))
    tensors = {
        "x": Tensor("x", image, DType.INT8, Quantization((2.0**-5,), (-7,))),
        "w": Tensor("w", shape, DType.INT8, unit, weights),
        "b": Tensor("b", (channels,), DType.INT32, Quantization((2.0**-12,), (0,)), bias),
        "y": Tensor("y", image, DType.INT8, Quantization((2.0**-2,), (3,))),
    }
    node = Node("conv", kind, ("x", "w", "b"), ("y",), Conv2D(window))
    return Graph("conv", tensors, (node,), ("x",), ("y",))


@pytest.mark.parametrize(
    ("kernel_set", "kind", "kernel", "channels", "most"),
    [
        (KernelSet.PORTABLE_C, OpKind.CONV_2D, 3, 16, 4.0),
        (KernelSet.PORTABLE_C, OpKind.CONV_2D, 1, 32, 5.0),
        (KernelSet.PORTABLE_C, OpKind.DEPTHWISE_CONV_2D, 3, 32, 15.0),
        (KernelSet.DSP_C, OpKind.CONV_2D, 3, 16, 1.2),
        (KernelSet.DSP_C, OpKind.CONV_2D, 3, 64, 0.85),
        (KernelSet.DSP_C, OpKind.CONV_2D, 1, 32, 1.2),
        (KernelSet.DSP_C, OpKind.DEPTHWISE_CONV_2D, 3, 32, 3.2),
        (KernelSet.DSP_C, OpKind.DEPTHWISE_CONV_2D, 5, 32, 3.0),
    ],
)
def test_instructions_per_mac_on_a_cortex_m4(kernel_set, kind, kernel, channels, most):
    graph = _convolution(kind, kernel, channels)
    check(graph)
    target = load("cortex-m4")
    x = np.random.default_rng(1).integers(
        -128, 128, size=(1, _SIDE, _SIDE, channels), dtype=np.int8
    )
    image = build_image(generate(graph, kernel_set), target)
    run = device_for(target).run(image, x, RunLimits())
    assert np.array_equal(run.outputs.reshape(-1), run_batch(graph, x).reshape(-1))
    assert run.instructions[0] / macs(graph, graph.nodes[0]) < most


# The yardstick is TensorFlow Lite Micro with CMSIS-NN; instructions at most 0.5 and memory at most
# 0.7 times its, flash beyond weights and biases at most 0.4 times.
@pytest.mark.parametrize(
    ("name", "instructions", "ram_bytes", "more_flash_bytes"),
    [
        ("ic_resnet8_int8", 14_900_000, 39_429, 20_768),
        ("kws_dscnn_int8", 3_850_000, 16_906, 21_659),
    ],
)
@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m7", "cortex-m33"])
def test_mlperf_tiny_models_beat_the_yardstick(
    core, name, instructions, ram_bytes, more_flash_bytes
):
    graph = canonicalize(read(shared_file(f"{name}.tflite").read_bytes()))
    target = load(core)
    source = generate(graph, target.firmware.kernel_set)
    image = build_image(source, target)
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    x = np.random.default_rng(2).integers(-128, 128, size=(1, *shape), dtype=np.int8)
    run = device_for(target).run(image, x, RunLimits())
    assert np.array_equal(run.outputs.reshape(-1), run_batch(graph, x).reshape(-1))
    assert run.instructions[0] <= instructions
    assert run.stack_bytes is not None
    assert source.arena_bytes + run.stack_bytes <= ram_bytes
    constants = [tensor.data for tensor in graph.tensors.values() if tensor.data is not None]
    given_bytes = sum(values.nbytes for values in constants)
    assert image.flash_bytes - given_bytes <= more_flash_bytes
