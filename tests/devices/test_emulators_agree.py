"""Two emulators, one image: equal answers, equal counts of every layer, equal stack."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeflow.backends.firmware.codegen import generate
from edgeflow.backends.firmware.source import SourceTree
from edgeflow.backends.firmware.toolchain import build_image
from edgeflow.devices.device import DeviceRun, RunLimits
from edgeflow.devices.registry import device_for
from edgeflow.exchange.tflite import read
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.interpreter import run_batch
from edgeflow.graph.ir import Graph
from edgeflow.targets.registry import load
from edgeflow.targets.schema import KernelSet, Target
from tests.backends.hand_written import INPUT_BYTES, mixed_model
from tests.devices.qemu import BOARDS, in_unicorn, qemu_board
from tests.shared_data import shared_file

pytestmark = pytest.mark.qemu


def _both(source: SourceTree, board: Target, inputs: np.ndarray) -> tuple[DeviceRun, DeviceRun]:
    image = build_image(source, board)
    first = device_for(board).run(image, inputs, RunLimits(seconds=120))
    second = device_for(in_unicorn(board)).run(image, inputs, RunLimits(seconds=120))
    assert "QEMU" in first.source
    assert "unicorn" in second.source
    return first, second


def _assert_equal(first: DeviceRun, second: DeviceRun) -> None:
    assert np.array_equal(first.outputs, second.outputs)
    assert first.instructions.tolist() == second.instructions.tolist()
    for mine, other in zip(first.layers, second.layers, strict=True):
        assert mine.symbol == other.symbol
        assert mine.instructions.tolist() == other.instructions.tolist(), mine.symbol
    assert first.stack_bytes == second.stack_bytes


def _random_inputs(graph: Graph, count: int) -> np.ndarray:
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    return np.random.default_rng(7).integers(-128, 128, (count, *shape), dtype=np.int8)


@pytest.mark.parametrize("name", BOARDS)
def test_on_conditional_instructions_tail_calls_and_long_blocks(name: str) -> None:
    inputs = np.random.default_rng(3).integers(-128, 128, (16, INPUT_BYTES), dtype=np.int8)
    first, second = _both(mixed_model(), qemu_board(name), inputs)
    _assert_equal(first, second)
    assert len(set(first.instructions.tolist())) > 1


@pytest.mark.parametrize("name", BOARDS)
def test_on_the_digits_network(name: str, digits_bundle: Path) -> None:
    board = qemu_board(name)
    graph = canonicalize(read((digits_bundle / "model.tflite").read_bytes()))
    inputs = np.load(digits_bundle / "test" / "inputs.npy")
    first, second = _both(generate(graph, board.firmware.kernel_set), board, inputs)
    _assert_equal(first, second)
    expected = np.load(digits_bundle / "test" / "expected.npy")
    assert np.array_equal(first.outputs, expected.reshape(len(inputs), -1))


@pytest.mark.parametrize(
    ("name", "core_name", "kernel_set"),
    [
        ("mps2-an386", "cortex-m4", KernelSet.PORTABLE_C),
        ("mps2-an386", "cortex-m4", KernelSet.DSP_C),
        ("riscv32-virt", "riscv32", KernelSet.PORTABLE_C),
    ],
)
@pytest.mark.parametrize("model", ["kws_dscnn_int8.tflite", "ic_resnet8_int8.tflite"])
def test_on_published_models(model: str, name: str, core_name: str, kernel_set: KernelSet) -> None:
    board = qemu_board(name)
    graph = canonicalize(read(shared_file(model).read_bytes()))
    inputs = _random_inputs(graph, 2)
    source = generate(graph, kernel_set)
    first, second = _both(source, board, inputs)
    _assert_equal(first, second)
    assert np.array_equal(first.outputs, run_batch(graph, inputs).reshape(2, -1))
    core = load(core_name)  # other addresses, same instructions
    generic = device_for(core).run(build_image(source, core), inputs, RunLimits(seconds=120))
    _assert_equal(first, generic)
