"""Networks that run row by row: every row of every layer, whatever the cut into segments."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeflow.backends.firmware.codegen import generate
from edgeflow.backends.firmware.toolchain import build_image
from edgeflow.devices.device import RunLimits
from edgeflow.devices.registry import device_for
from edgeflow.exchange.tflite import read
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.interpreter import run_batch
from edgeflow.graph.ir import Graph
from edgeflow.targets.registry import load
from edgeflow.targets.schema import KernelSet
from tests.backends.host_model import assert_layers_match, compile_models
from tests.backends.kernel_sets import KERNEL_SETS
from tests.backends.ordinary_networks import ordinary_network
from tests.backends.segments import drawn_segments, whole_segments
from tests.devices.qemu import qemu_board
from tests.graph.strategies import Dialect, graph_and_input, graphs
from tests.shared_data import shared_file

GRAPHS_PER_BUILD = 12

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


def _random_input(graph: Graph, seed: int, count: int = 1) -> np.ndarray:
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    return np.random.default_rng(seed).integers(-128, 128, size=(count, *shape), dtype=np.int8)


def _check_all(cases: list, segments: list, directory: Path, kernel_set: KernelSet) -> None:
    models = compile_models([graph for graph, _ in cases], directory, kernel_set, segments)
    for (graph, inputs), model in zip(cases, models, strict=True):
        assert_layers_match(graph, model, inputs)


@pytest.mark.parametrize("kernel_set", KERNEL_SETS)
@_batches
@given(
    cases=st.lists(
        graph_and_input(graphs(max_nodes=10, dialect=Dialect.EDGEFLOW)),
        min_size=GRAPHS_PER_BUILD,
        max_size=GRAPHS_PER_BUILD,
    ),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_row_of_random_graphs_equals_the_interpreter(cases, seed, kernel_set, tmp_path):
    segments = [drawn_segments(graph, seed + i) for i, (graph, _) in enumerate(cases)]
    _check_all(cases, segments, tmp_path, kernel_set)


@pytest.mark.parametrize("kernel_set", KERNEL_SETS)
def test_every_row_of_ordinary_networks_equals_the_interpreter(kernel_set, tmp_path):
    networks = [ordinary_network(seed, layers=7) for seed in range(300, 316)]
    cases = [(g, {g.inputs[0]: _random_input(g, i)}) for i, g in enumerate(networks)]
    segments = [drawn_segments(graph, seed) for seed, graph in enumerate(networks)]
    assert sum(part.last - part.first for parts in segments for part in parts) > 20
    _check_all(cases, segments, tmp_path, kernel_set)


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m0plus", "riscv32"])
@pytest.mark.parametrize("seed", range(400, 402))
def test_ordinary_networks_equal_the_interpreter_on_the_core(seed, core):
    graph = ordinary_network(seed, layers=8)
    target = load(core)
    x = _random_input(graph, seed, count=2)
    segments = drawn_segments(graph, seed)
    assert segments
    image = build_image(generate(graph, target.firmware.kernel_set, segments), target)
    run = device_for(target).run(image, x, RunLimits())
    assert np.array_equal(run.outputs, run_batch(graph, x).reshape(len(x), -1))


def test_the_text_compiles_without_a_warning(tmp_path):
    compiler = shutil.which("arm-none-eabi-gcc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is not installed")
    graph = ordinary_network(402, layers=8)
    for name, text in generate(graph, KernelSet.PORTABLE_C, drawn_segments(graph, 1)).files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    names = [path.name for path in tmp_path.glob("*.c")]
    assert "edgeflow_rows.c" in names
    warnings = ("-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Wmissing-prototypes")
    done = subprocess.run(
        [compiler, "-std=c99", "-O2", *warnings, "-c", *sorted(names)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.qemu
@pytest.mark.parametrize("board", ["mps3-an547", "mps2-an386", "riscv32-virt"])
def test_a_network_by_rows_equals_the_interpreter_in_qemu(board):
    """QEMU's plugin counts a layer's calls as unicorn does: one for each band."""
    target = qemu_board(board)
    graph = ordinary_network(410, layers=8)
    segments = drawn_segments(graph, 410)
    assert segments
    x = _random_input(graph, 410)
    image = build_image(generate(graph, target.firmware.kernel_set, segments), target)
    run = device_for(target).run(image, x, RunLimits())
    assert np.array_equal(run.outputs, run_batch(graph, x).reshape(len(x), -1))


@pytest.mark.parametrize("name", ["ic_resnet8_int8", "kws_dscnn_int8", "vww_mobilenet_int8"])
@pytest.mark.parametrize("rows", [1, 3])
def test_mlperf_tiny_models_equal_the_interpreter_in_every_row(name, rows, tmp_path):
    graph = canonicalize(read(shared_file(f"{name}.tflite").read_bytes()))
    segments = whole_segments(graph, rows)
    (model,) = compile_models([graph], tmp_path, KernelSet.DSP_C, [segments])
    assert_layers_match(graph, model, {graph.inputs[0]: _random_input(graph, rows)})
