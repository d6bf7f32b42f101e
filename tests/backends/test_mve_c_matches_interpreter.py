"""The MVE kernel set: its plain C on this host, its vectors on an emulated Cortex-M55."""

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
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.interpreter import run_batch
from edgeflow.graph.ir import (
    Concatenation,
    Graph,
    NoAttributes,
    OpKind,
    Pad,
    Pool2D,
    Quantization,
    Window,
)
from edgeflow.targets.schema import KernelSet
from tests.backends.host_model import assert_layers_match, compile_models
from tests.backends.ordinary_networks import ordinary_network
from tests.backends.single_layers import convolution
from tests.devices.qemu import qemu_board
from tests.graph.builder import GraphBuilder
from tests.graph.strategies import Dialect, graph_and_input, graphs, single_operator
from tests.shared_data import shared_file

GRAPHS_PER_BUILD = 20

_batches = settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
        HealthCheck.function_scoped_fixture,
        HealthCheck.large_base_example,
    ],
)


def _check_all(cases: list, directory: Path) -> None:
    models = compile_models([graph for graph, _ in cases], directory, KernelSet.MVE_C)
    for (graph, inputs), model in zip(cases, models, strict=True):
        assert_layers_match(graph, model, inputs)


def _random_input(graph: Graph, seed: int, count: int = 1) -> np.ndarray:
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    return np.random.default_rng(seed).integers(-128, 128, size=(count, *shape), dtype=np.int8)


@_batches
@given(
    cases=st.lists(
        graph_and_input(graphs(max_nodes=8, dialect=Dialect.EDGEFLOW).map(canonicalize)),
        min_size=GRAPHS_PER_BUILD,
        max_size=GRAPHS_PER_BUILD,
    )
)
def test_every_layer_of_random_graphs_equals_the_interpreter(cases, tmp_path):
    _check_all(cases, tmp_path)


@settings(_batches, max_examples=4)
@given(
    cases=st.tuples(
        *(
            graph_and_input(single_operator(kind, max_inputs=1, dialect=Dialect.EDGEFLOW))
            for kind in (*OpKind, *OpKind)
        )
    )
)
def test_each_operator_equals_the_interpreter(cases, tmp_path):
    _check_all(cases, tmp_path)


def test_every_layer_of_ordinary_networks_equals_the_interpreter(tmp_path):
    networks = [ordinary_network(seed) for seed in range(60)]
    cases = [(g, {g.inputs[0]: _random_input(g, i)}) for i, g in enumerate(networks)]
    _check_all(cases, tmp_path)


def test_ordinary_networks_take_the_fast_kernels():
    """Else the tests above would prove nothing about them."""
    text = "".join(
        generate(ordinary_network(seed), KernelSet.MVE_C).files["edgeflow_model.c"]
        for seed in range(60)
    )
    for kind in ("conv_2d", "depthwise_conv_2d", "fully_connected", "add", "max_pool_2d"):
        assert f"    edgeflow_{kind}(" not in text
    for name in (
        "conv_2d",
        "pointwise_conv_2d",
        "depthwise_conv_2d",
        "fully_connected",
        "add",
        "average_pool_2d",
        "max_pool_2d",
    ):
        assert text.count(f"    edgeflow_mve_{name}(") >= 10, name
    for name in ("plane_1", "plane_2", "plane_3", "wide_plane_1", "wide_plane_2"):
        assert text.count(f"edgeflow_mve_{name},") >= 5, name
    for name in ("triples", "narrow_triples"):
        assert text.count(f"edgeflow_mve_{name},") >= 10, name


CONVOLUTIONS = [
    # one, two and three pixels left over; one to five channels; taps around whole vectors
    *((OpKind.CONV_2D, (1, 4 + o, 15 + o), (1, 1), 1, o) for o in range(1, 6)),
    *((OpKind.CONV_2D, (5, 7, c), (3, 3), 1 + c % 2, 6) for c in (1, 2, 3, 5, 8, 9, 16, 17)),
    (OpKind.CONV_2D, (3, 60, 2), (1, 20), 1, 4),
    (OpKind.CONV_2D, (60, 3, 2), (40, 1), 3, 4),
    (OpKind.CONV_2D, (9, 200, 16), (3, 3), 1, 4),
]
DEPTHWISE = [
    # filters of one vector, two, and more; fewer channels than planes, and some left over
    *((OpKind.DEPTHWISE_CONV_2D, (9, 9, c), (3, 3), 1 + c % 2, c) for c in (1, 3, 8, 9, 17)),
    *((OpKind.DEPTHWISE_CONV_2D, (7, 10, 9), (k, k), 1, 18) for k in (1, 2, 4, 5, 6, 7)),
    (OpKind.DEPTHWISE_CONV_2D, (60, 1, 9), (33, 1), 1, 9),
    (OpKind.DEPTHWISE_CONV_2D, (1, 60, 5), (1, 47), 2, 5),
    (OpKind.DEPTHWISE_CONV_2D, (40, 40, 8), (3, 3), 1, 8),
    (OpKind.DEPTHWISE_CONV_2D, (40, 40, 8), (9, 9), 2, 8),
]


def test_convolutions_of_every_sort_of_shape_equal_the_interpreter(tmp_path):
    graphs_ = [convolution(*shape) for shape in (*CONVOLUTIONS, *DEPTHWISE)]
    _check_all([(g, {"x": _random_input(g, i)}) for i, g in enumerate(graphs_)], tmp_path)


@pytest.mark.qemu
@pytest.mark.parametrize("shape", [*CONVOLUTIONS[1:4], CONVOLUTIONS[-2], *DEPTHWISE[-4:]])
def test_convolutions_of_unusual_shape_equal_the_interpreter_on_a_cortex_m55(shape):
    target, graph = qemu_board("mps3-an547"), convolution(*shape)
    x = _random_input(graph, 1)
    image = build_image(generate(graph, KernelSet.MVE_C), target)
    run = device_for(target).run(image, x, RunLimits())
    assert np.array_equal(run.outputs.reshape(-1), run_batch(graph, x).reshape(-1))


@pytest.mark.qemu
@pytest.mark.parametrize("seed", range(100, 105))
def test_ordinary_networks_equal_the_interpreter_on_a_cortex_m55(seed):
    graph = ordinary_network(seed, layers=8)
    target = qemu_board("mps3-an547")
    x = _random_input(graph, seed, count=2)
    image = build_image(generate(graph, KernelSet.MVE_C), target)
    run = device_for(target).run(image, x, RunLimits())
    assert np.array_equal(run.outputs, run_batch(graph, x).reshape(len(x), -1))


def _moves_and_tables() -> Graph:
    """What the ordinary networks lack: PAD of every axis, CONCATENATION, LOGISTIC, RELU6."""
    b, scale = GraphBuilder(), 0.05
    x = b.input((1, 5, 7, 19), Quantization((scale,), (7,)))
    unit = Quantization((1 / 256,), (-128,))
    logistic = b.node(OpKind.LOGISTIC, [x], NoAttributes(), unit)
    clamped = b.node(OpKind.RELU6, [x], NoAttributes(), Quantization((0.03,), (-100,)))
    same = b.node(OpKind.QUANTIZE, [clamped], NoAttributes(), unit)
    joined = b.node(OpKind.CONCATENATION, [logistic, same], Concatenation(3), unit)
    rows = b.node(OpKind.PAD, [joined], Pad(((0, 0), (1, 0), (2, 1), (0, 0))), unit)
    padded = b.node(OpKind.PAD, [rows], Pad(((0, 0), (0, 2), (0, 0), (3, 5))), unit)
    pooled = b.node(OpKind.MAX_POOL_2D, [padded], Pool2D(2, 3, Window()), unit)
    return b.build([pooled.name])


def test_moves_and_tables_equal_the_interpreter(tmp_path):
    graph = _moves_and_tables()
    _check_all([(graph, {graph.inputs[0]: _random_input(graph, 0)})], tmp_path)


@pytest.mark.qemu
def test_moves_and_tables_equal_the_interpreter_on_a_cortex_m55():
    graph, target = _moves_and_tables(), qemu_board("mps3-an547")
    x = _random_input(graph, 0, count=3)
    run = device_for(target).run(
        build_image(generate(graph, KernelSet.MVE_C), target), x, RunLimits()
    )
    assert np.array_equal(run.outputs, run_batch(graph, x).reshape(len(x), -1))


@pytest.mark.qemu
@pytest.mark.parametrize("seed", [300, 304])
def test_networks_of_narrow_weights_equal_the_interpreter_on_a_cortex_m55(seed):
    graph = canonicalize(ordinary_network(seed, layers=8, weight_bits=(4, 2)))
    target = qemu_board("mps3-an547")
    x = _random_input(graph, seed, count=2)
    source = generate(graph, KernelSet.MVE_C)
    assert "_unpack," in source.files["edgeflow_model.c"]
    run = device_for(target).run(build_image(source, target), x, RunLimits())
    assert np.array_equal(run.outputs, run_batch(graph, x).reshape(len(x), -1))


def test_narrow_weights_take_the_fast_kernels():
    """Else the tests of narrow weights would prove nothing about them."""
    text = "".join(
        generate(ordinary_network(seed, weight_bits=(4, 2)), KernelSet.MVE_C).files[
            "edgeflow_model.c"
        ]
        for seed in range(30)
    )
    for bits in (4, 2):
        assert text.count(f".unpack = edgeflow_int{bits}_unpack,") >= 20
        assert text.count(f"    edgeflow_int{bits}_unpack(") >= 10
    assert text.count("    edgeflow_mve_packed_fully_connected(") >= 10
    # Scales of 1/2 and more, which small sums may have, are for the DSP set.
    assert text.count(".three_pixels = edgeflow_dsp_int") <= 10


@pytest.mark.parametrize(
    "name", ["ic_resnet8_int8", "kws_dscnn_int8", "vww_mobilenet_int8", "ad01_int8", "sww_int8"]
)
def test_mlperf_tiny_models_equal_the_interpreter_in_every_layer(name, tmp_path):
    from edgeflow.exchange.tflite import read

    graph = canonicalize(read(shared_file(f"{name}.tflite").read_bytes()))
    (model,) = compile_models([graph], tmp_path, KernelSet.MVE_C)
    for seed in range(2):
        assert_layers_match(graph, model, {graph.inputs[0]: _random_input(graph, seed)})


@pytest.mark.parametrize("weight_bits", [(8,), (4, 2)])
def test_gcc_for_arm_builds_the_kernels_without_a_warning(weight_bits, tmp_path):
    compiler = shutil.which("arm-none-eabi-gcc")
    if compiler is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    source = generate(ordinary_network(3, layers=12, weight_bits=weight_bits), KernelSet.MVE_C)
    for name, text in source.files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    names = sorted(name for name in source.files if name.endswith((".c", ".S")))
    assert any(name.endswith(".S") for name in names)
    core = ("-mcpu=cortex-m55+nofp", "-mfloat-abi=softfp", "-mthumb")
    warnings = ("-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Wmissing-prototypes")
    done = subprocess.run(
        [compiler, *core, "-std=c99", "-O2", *warnings, "-c", *names],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
