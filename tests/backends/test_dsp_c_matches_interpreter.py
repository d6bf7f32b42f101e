"""The DSP kernel set: its C twins on this host, its assembler on an emulated Cortex-M4."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeflow.backends.firmware.codegen import generate
from edgeflow.backends.firmware.dsp_c.scaling import scale
from edgeflow.backends.firmware.toolchain import build_image
from edgeflow.devices.device import RunLimits
from edgeflow.devices.registry import device_for
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.fixed_point import multiply_by_quantized_multiplier
from edgeflow.graph.interpreter import run_batch
from edgeflow.graph.ir import (
    Concatenation,
    Graph,
    Mean,
    NoAttributes,
    OpKind,
    Pool2D,
    Quantization,
    Window,
)
from edgeflow.targets.registry import load
from edgeflow.targets.schema import KernelSet
from tests.backends.host_model import assert_layers_match, compile_models
from tests.backends.ordinary_networks import ordinary_network
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
    models = compile_models([graph for graph, _ in cases], directory, KernelSet.DSP_C)
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
        generate(ordinary_network(seed), KernelSet.DSP_C).files["edgeflow_model.c"]
        for seed in range(60)
    )
    for kind in ("conv_2d", "depthwise_conv_2d", "fully_connected"):
        assert f"    edgeflow_{kind}(" not in text
    for name in ("conv_2d", "pointwise_conv_2d", "depthwise_conv_2d", "depthwise_conv_2d_3x3"):
        assert text.count(f"    edgeflow_dsp_{name}(") >= 10, name
    for name in ("average_pool_2d", "max_pool_2d"):
        assert text.count(f"    edgeflow_dsp_{name}(") >= 10, name
    assert text.count("    edgeflow_dsp_add(") >= 10
    # Zero points at opposite ends leave too few bits for a linear form.
    assert text.count("    edgeflow_add(") <= text.count("    edgeflow_dsp_add(") / 8


def _reductions(side: int, channels: int) -> Graph:
    """Windows of more values than an int16 lane can add up."""
    builder = GraphBuilder()
    parameters = Quantization((2.0**-4,), (-128,))
    x = builder.input((1, side, side, channels), parameters)
    window = Window(stride_h=1, stride_w=side)
    outputs = [
        builder.node(kind, [x], Pool2D(side - 1, side, window), parameters)
        for kind in (OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D)
    ]
    for axes in ((1,), (2,), (1, 2), (2, 3)):
        attributes = Mean(axes, keep_dims=True)
        outputs.append(builder.node(OpKind.MEAN, [x], attributes, Quantization((2.0**-5,), (5,))))
    flat = [
        builder.node(
            OpKind.RESHAPE, [y], NoAttributes(), y.quantization, shape=(1, int(np.prod(y.shape)))
        )
        for y in outputs
    ]
    one = [builder.node(OpKind.QUANTIZE, [y], NoAttributes(), parameters) for y in flat]
    joined = builder.node(OpKind.CONCATENATION, one, Concatenation(1), parameters)
    return builder.build([joined.name], name="reductions")


@pytest.mark.parametrize("channels", [3, 4, 5, 11])
@pytest.mark.parametrize("value", [-128, 127, None])
def test_reductions_of_large_windows_equal_the_interpreter(channels, value, tmp_path):
    graph = _reductions(17, channels)
    x = _random_input(graph, channels)
    if value is not None:
        x[:] = value
    _check_all([(graph, {graph.inputs[0]: x})], tmp_path)


@pytest.mark.parametrize("seed", range(100, 108))
def test_ordinary_networks_equal_the_interpreter_on_a_cortex_m4(seed):
    graph = ordinary_network(seed, layers=8)
    target = load("cortex-m4")
    x = _random_input(graph, seed, count=2)
    image = build_image(generate(graph, KernelSet.DSP_C), target)
    run = device_for(target).run(image, x, RunLimits())
    assert np.array_equal(run.outputs, run_batch(graph, x).reshape(len(x), -1))


@pytest.mark.parametrize(
    "name", ["ic_resnet8_int8", "kws_dscnn_int8", "vww_mobilenet_int8", "ad01_int8"]
)
def test_mlperf_tiny_models_equal_the_interpreter_in_every_layer(name, tmp_path):
    from edgeflow.exchange.tflite import read

    graph = canonicalize(read(shared_file(f"{name}.tflite").read_bytes()))
    (model,) = compile_models([graph], tmp_path, KernelSet.DSP_C)
    for seed in range(2):
        assert_layers_match(graph, model, {graph.inputs[0]: _random_input(graph, seed)})


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m7", "cortex-m33"])
def test_gcc_for_arm_builds_the_kernels_without_a_warning(core, tmp_path):
    compiler = shutil.which("arm-none-eabi-gcc")
    if compiler is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    source = generate(ordinary_network(3, layers=12), KernelSet.DSP_C)
    for name, text in source.files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    names = sorted(name for name in source.files if name.endswith((".c", ".S")))
    assert any(name.endswith(".S") for name in names)
    warnings = ("-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Wmissing-prototypes")
    done = subprocess.run(
        [compiler, f"-mcpu={core}", "-mthumb", "-std=c99", "-O2", *warnings, "-c", *names],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_short_requantization_equals_double_rounding():
    """Ties of both roundings, both signs, every shift, and sums at the ends of their range."""
    rng = np.random.default_rng(0)
    tried = 0
    for right_shift in range(1, 32):
        for multiplier in (2**30, 2**31 - 1, *rng.integers(2**30, 2**31, 4).tolist()):
            reach = min(2**30 - 1, 2 ** int(rng.integers(4, 31)))
            zero_point = int(rng.integers(-128, 128))
            found = scale(multiplier, right_shift, zero_point, reach)
            if found is None:
                continue
            tried += 1
            sums = np.concatenate(
                [
                    np.arange(-min(reach, 500), min(reach, 500) + 1),
                    _around_ties(multiplier, right_shift, reach),
                    rng.integers(-reach, reach + 1, 500),
                    [-reach, reach],
                ]
            )
            high = (found.base << 32) + ((sums >> 31) << 32) + 2 * sums * multiplier
            short = ((high + 2**31) >> 32) >> found.shift
            exact = multiply_by_quantized_multiplier(sums, multiplier, -right_shift) + zero_point
            assert np.array_equal(short, exact)
    assert tried > 100


def _around_ties(multiplier: int, right_shift: int, reach: int) -> np.ndarray:
    """Sums whose scaled value lies next to k + 1/2."""
    halves = np.arange(-300, 301) + 0.5
    sums = np.rint(halves * 2.0 ** (31 + right_shift) / multiplier)
    near = (sums[:, None] + np.arange(-2, 3)).reshape(-1)
    return near[np.abs(near) <= reach].astype(np.int64)
