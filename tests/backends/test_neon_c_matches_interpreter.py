"""The kernel set for AArch64 under QEMU's user mode, with and without dot products."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeflow.backends.firmware.codegen import generate
from edgeflow.backends.firmware.compiler import run_compiler
from edgeflow.backends.firmware.neon_c.convolution import fast_channels as fast_convolution
from edgeflow.backends.firmware.neon_c.depthwise import fast_channels as fast_depthwise
from edgeflow.backends.native.toolchain import build_program
from edgeflow.devices import qemu_program
from edgeflow.devices.device import RunLimits
from edgeflow.devices.linux_runner import runner_for
from edgeflow.exchange import tflite
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.constant_channels import without_constant_channels
from edgeflow.graph.interpreter import run_batch
from edgeflow.graph.ir import Graph, OpKind
from edgeflow.targets.registry import load
from edgeflow.targets.schema import KernelSet
from tests.backends.host_model import merged_files
from tests.backends.many_models import Case, checking_main
from tests.backends.ordinary_networks import ordinary_network
from tests.backends.single_layers import convolution, with_large_scales
from tests.devices.aarch64 import needs_qemu_user
from tests.graph.strategies import Dialect, graph_and_input, graphs, single_operator
from tests.shared_data import shared_file

pytestmark = needs_qemu_user

GRAPHS_PER_BUILD = 16
BOARDS = ("jetson-nano", "raspberry-pi-5")  # without and with dot products

_batches = settings(
    max_examples=2,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
        HealthCheck.function_scoped_fixture,
        HealthCheck.large_base_example,
    ],
)


def _check_all(cases: list[Case], folder: Path, board: str) -> None:
    """All models in one static program, whose exit status says whether every answer is equal."""
    target = load(board)
    sources = [generate(graph, KernelSet.NEON_C) for graph, _ in cases]
    files = {**merged_files(sources), "main.c": checking_main(cases)}
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    names = sorted(name for name in files if name.endswith(".c"))
    machine = ["-target", "aarch64-linux-musl", f"-mcpu={target.toolchain.cpu}", "-static"]
    run_compiler([*machine, "-std=c99", "-O2", "-g0", "-I.", "-o", "models", *names], folder)
    command = [qemu_program.user_program(target), "-cpu", target.runner.cpu_model, "./models"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _with_input(graph: Graph, seed: int) -> Case:
    shape = graph.tensors[graph.inputs[0]].shape
    x = np.random.default_rng(seed).integers(-128, 128, shape, dtype=np.int8)
    return graph, {graph.inputs[0]: x}


@pytest.mark.parametrize("board", BOARDS)
@_batches
@given(
    cases=st.lists(
        graph_and_input(graphs(max_nodes=8, dialect=Dialect.EDGEFLOW).map(canonicalize)),
        min_size=GRAPHS_PER_BUILD,
        max_size=GRAPHS_PER_BUILD,
    )
)
def test_random_graphs_equal_the_interpreter(board, cases, tmp_path):
    _check_all(cases, tmp_path, board)


@pytest.mark.parametrize("board", BOARDS)
@_batches
@given(
    cases=st.tuples(
        *(
            graph_and_input(single_operator(kind, max_inputs=1, dialect=Dialect.EDGEFLOW))
            for kind in OpKind
        )
    )
)
def test_each_operator_equals_the_interpreter(board, cases, tmp_path):
    _check_all(list(cases), tmp_path, board)


@pytest.mark.parametrize("board", BOARDS)
def test_ordinary_networks_equal_the_interpreter(board, tmp_path):
    networks = [
        ordinary_network(seed, weight_bits=(8, 4, 2) if seed % 4 == 0 else (8,))
        for seed in range(40)
    ]
    _check_all([_with_input(graph, i) for i, graph in enumerate(networks)], tmp_path, board)


@pytest.mark.parametrize("board", BOARDS)
def test_narrow_weights_with_large_scales_take_the_fast_kernels_and_are_equal(board, tmp_path):
    cases = []
    for seed in range(12):
        kind, fast = (
            (OpKind.CONV_2D, fast_convolution)
            if seed % 2
            else (OpKind.DEPTHWISE_CONV_2D, fast_depthwise)
        )
        channels = (8, 16, 20, 33, 64, 7)[seed // 2]
        graph = with_large_scales(
            convolution(kind, (6, 9, channels), (3, 3), 1 + seed % 3 // 2, channels), seed
        )
        assert fast(graph, graph.nodes[0]) is not None
        cases.append(_with_input(graph, seed))
    _check_all(cases, tmp_path, board)


@pytest.mark.parametrize("board", BOARDS)
def test_convolutions_of_every_width_take_the_fast_kernel_and_are_equal(board, tmp_path):
    shapes = [
        (OpKind.CONV_2D, image, kernel, stride, outputs)
        for outputs in (1, 7, 8, 9, 15, 16, 17, 40, 64, 65)
        for image, kernel, stride in (
            ((5, 17, 3), (3, 3), 1),
            ((7, 6, 20), (1, 1), 1),
            ((9, 13, 5), (3, 5), 2),
        )
    ]
    cases = [_with_input(convolution(*shape), i) for i, shape in enumerate(shapes)]
    assert all(fast_convolution(graph, graph.nodes[0]) is not None for graph, _ in cases)
    _check_all(cases, tmp_path, board)


@pytest.mark.parametrize("board", BOARDS)
def test_depthwise_layers_of_every_width_take_the_fast_kernel_and_are_equal(board, tmp_path):
    shapes = [
        (OpKind.DEPTHWISE_CONV_2D, (6, 11, channels), kernel, stride, channels)
        for channels in (1, 2, 3, 4, 8, 12, 16, 33, 64)
        for kernel, stride in (((3, 3), 1), ((3, 3), 2), ((5, 2), 1))
    ]
    cases = [_with_input(convolution(*shape), i) for i, shape in enumerate(shapes)]
    assert all(fast_depthwise(graph, graph.nodes[0]) is not None for graph, _ in cases)
    _check_all(cases, tmp_path, board)


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("name", ["ic_resnet8_int8", "kws_dscnn_int8", "vww_mobilenet_int8"])
def test_the_mlperf_tiny_models_answer_as_the_interpreter(board, name):
    model = shared_file(f"mlperf_tiny/{name}.tflite").read_bytes()
    graph = without_constant_channels(canonicalize(tflite.read(model)))
    target = load(board)
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    inputs = np.random.default_rng(1).integers(-128, 128, (4, *shape), dtype=np.int8)
    program = build_program(generate(graph, target.firmware.kernel_set), target)
    run = runner_for(target).run(program, inputs, RunLimits())
    assert np.array_equal(run.outputs, run_batch(graph, inputs).reshape(4, -1))
