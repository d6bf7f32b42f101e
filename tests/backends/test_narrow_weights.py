"""int4 and int2 weights: every layer equals the interpreter on every core, and what they cost."""

from __future__ import annotations

import math
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgeflow.backends.firmware.codegen import generate
from edgeflow.backends.firmware.toolchain import build_image
from edgeflow.devices.device import DeviceRun, RunLimits
from edgeflow.devices.registry import device_for
from edgeflow.errors import UnsupportedOperatorError
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.checker import check
from edgeflow.graph.fixed_point import multiply_by_quantized_multiplier
from edgeflow.graph.interpreter import run_batch
from edgeflow.graph.ir import Attributes, Conv2D, FullyConnected, Graph, OpKind, Quantization
from edgeflow.graph.ir import Window as GraphWindow
from edgeflow.pipeline.steps.generate import require_legal
from edgeflow.targets.registry import load
from edgeflow.targets.schema import KernelSet
from tests.backends.host_model import assert_layers_match, compile_models
from tests.backends.kernel_sets import KERNEL_SETS
from tests.backends.ordinary_networks import ordinary_network
from tests.graph.builder import GraphBuilder

CORES = ["cortex-m0plus", "cortex-m3", "cortex-m4", "riscv32"]


def _inputs(graph: Graph, seed: int, count: int = 1) -> np.ndarray:
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    return np.random.default_rng(seed).integers(-128, 128, (count, *shape), dtype=np.int8)


def _layer(
    kind: OpKind, bits: int, weights: np.ndarray, x_shape: tuple[int, ...], scale: float
) -> Graph:
    """One layer with an input scale of 1; the output's is such that sums times `scale` come out."""
    b = GraphBuilder()
    channels = weights.shape[3] if kind is OpKind.DEPTHWISE_CONV_2D else weights.shape[0]
    attributes: Attributes = FullyConnected()
    if kind is not OpKind.FULLY_CONNECTED:
        pad_h, pad_w = weights.shape[1] // 2, weights.shape[2] // 2
        attributes = Conv2D(
            GraphWindow(pad_top=pad_h, pad_bottom=pad_h, pad_left=pad_w, pad_right=pad_w)
        )
    unit = Quantization((1.0,), (0,))
    x = b.input(x_shape, Quantization((1.0,), (-128,)))
    w = b.constant(weights, unit, bits)
    bias = b.constant(np.arange(channels, dtype=np.int32) * 7 - 20, unit)
    y = b.node(kind, [x, w, bias], attributes, Quantization((float(np.float32(1 / scale)),), (3,)))
    graph = b.build([y.name])
    check(graph)
    return graph


def _random_layer(
    kind: OpKind, bits: int, kernel: int, channels: int, side: int, outputs: int = 0
) -> Graph:
    outputs = outputs or channels
    shape = (outputs, kernel, kernel, channels)
    x_shape: tuple[int, ...] = (1, side, side, channels)
    if kind is OpKind.DEPTHWISE_CONV_2D:
        shape = (1, kernel, kernel, channels)
    elif kind is OpKind.FULLY_CONNECTED:
        shape, x_shape = (outputs, channels), (1, channels)  # type: ignore[assignment]
    rng = np.random.default_rng(1)
    low = -127 if bits == 8 else -(2 ** (bits - 1))
    weights = rng.integers(low, 2 ** (bits - 1), shape).astype(np.int8)
    return _layer(kind, bits, weights, x_shape, scale=2.0 ** -(bits + 2))


def _extreme_layers() -> list[tuple[Graph, np.ndarray]]:
    """Weights and inputs at the ends of their ranges; odd numbers of outputs and taps."""
    cases = []
    for bits in (4, 2):
        low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        for outputs, taps in ((1, 1), (2, 85), (3, 17), (5, 33), (7, 600)):
            for weight in (low, high):
                rows = np.full((outputs, taps), weight, np.int8)
                rows[::2, ::3] = low + high - weight
                dense = _layer(OpKind.FULLY_CONNECTED, bits, rows, (1, taps), 2.0**-9)
                pointwise = rows.reshape(outputs, 1, 1, taps)
                image = _layer(OpKind.CONV_2D, bits, pointwise, (1, 2, 2, taps), 2.0**-9)
                cases += [(graph, fill) for graph in (dense, image) for fill in (-128, 127)]
    return [
        (graph, np.full(graph.tensors[graph.inputs[0]].shape, fill, np.int8))
        for graph, fill in cases
    ]


@pytest.mark.parametrize("kernel_set", KERNEL_SETS)
def test_extremes_of_weights_and_inputs_equal_the_interpreter(
    kernel_set: KernelSet, tmp_path: Path
) -> None:
    cases = _extreme_layers()
    models = compile_models([graph for graph, _ in cases], tmp_path, kernel_set)
    for (graph, x), model in zip(cases, models, strict=True):
        assert_layers_match(graph, model, {graph.inputs[0]: x})


@pytest.mark.parametrize("kernel_set", KERNEL_SETS)
def test_every_layer_of_ordinary_networks_equals_the_interpreter(
    kernel_set: KernelSet, tmp_path: Path
) -> None:
    networks = [ordinary_network(seed, weight_bits=(4, 2, 8)) for seed in range(30)]
    models = compile_models(networks, tmp_path, kernel_set)
    for seed, (graph, model) in enumerate(zip(networks, models, strict=True)):
        assert_layers_match(graph, model, {graph.inputs[0]: _inputs(graph, seed)})


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("seed", [301, 302])
def test_ordinary_networks_equal_the_interpreter_on_the_core(core: str, seed: int) -> None:
    graph = canonicalize(ordinary_network(seed, layers=8, weight_bits=(4, 2)))
    run, _ = _run(graph, core, _inputs(graph, seed, count=2))
    assert run.outputs.shape[0] == 2


def test_ordinary_networks_take_the_fast_kernels() -> None:
    """Else the tests above would prove nothing about them."""
    text = "".join(
        generate(ordinary_network(seed, weight_bits=(4, 2)), KernelSet.DSP_C).files[
            "edgeflow_model.c"
        ]
        for seed in range(40)
    )
    for bits in (4, 2):
        assert text.count(f".three_pixels = edgeflow_dsp_int{bits}_three_pixels") >= 20
        assert text.count(f"edgeflow_dsp_int{bits}_fully_connected(") >= 10
        assert text.count(f"edgeflow_int{bits}_unpack(") >= 20
    finer = ("edgeflow_dsp_depthwise_conv_2d_finer(", "edgeflow_dsp_depthwise_conv_2d_3x3_finer(")
    assert sum(text.count(call) for call in finer) >= 5
    for portable in ("edgeflow_int4_pixel", "edgeflow_int2_pixel", "edgeflow_depthwise_conv_2d("):
        assert portable not in text


@pytest.mark.parametrize(
    ("kernel_set", "core"),
    [(KernelSet.PORTABLE_C, "cortex-m0plus"), (KernelSet.DSP_C, "cortex-m4")],
)
def test_gcc_for_arm_builds_the_kernels_without_a_warning(
    kernel_set: KernelSet, core: str, tmp_path: Path
) -> None:
    compiler = shutil.which("arm-none-eabi-gcc")
    if compiler is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    source = generate(ordinary_network(4, layers=14, weight_bits=(4, 2)), kernel_set)
    for name, text in source.files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    names = sorted(name for name in source.files if name.endswith((".c", ".S")))
    assert any("int4" in name for name in names)
    assert any("int2" in name for name in names)
    warnings = ("-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Wmissing-prototypes")
    done = subprocess.run(
        [compiler, f"-mcpu={core}", "-mthumb", "-std=c99", "-O2", *warnings, "-c", *names],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_no_filter_is_unpacked_beyond_its_working_memory() -> None:
    """Dilated filters grow when they are spread."""
    b = GraphBuilder()
    rng = np.random.default_rng(3)
    unit = Quantization((0.25,), (0,))
    x = b.input((1, 9, 9, 6), unit)
    w = b.constant(rng.integers(-8, 8, (1, 3, 3, 6)).astype(np.int8), unit, 4)
    bias = b.constant(np.zeros(6, np.int32), Quantization((0.0625,), (0,)))
    window = GraphWindow(dilation_h=2, dilation_w=2)
    y = b.node(OpKind.DEPTHWISE_CONV_2D, [x, w, bias], Conv2D(window), Quantization((2.0,), (0,)))
    graph = b.build([y.name])
    check(graph)
    text = generate(graph, KernelSet.DSP_C).files["edgeflow_model.c"]
    assert "edgeflow_dsp_depthwise_conv_2d(" in text
    _run(graph, "cortex-m4", _inputs(graph, 0, count=2))


def _run(graph: Graph, core: str, x: np.ndarray) -> tuple[DeviceRun, int]:
    """The device's run, bit-exact, and the bytes of the image in flash."""
    target = load(core)
    require_legal(graph, target)
    image = build_image(generate(graph, target.firmware.kernel_set), target)
    run = device_for(target).run(image, x, RunLimits())
    assert np.array_equal(run.outputs, run_batch(graph, x).reshape(len(x), -1))
    return run, image.flash_bytes


@pytest.mark.parametrize(
    ("core", "kind", "kernel", "channels", "int4", "int2"),
    [
        # Instructions over those of int8. Portable C multiplies two weights at once.
        ("cortex-m0plus", OpKind.CONV_2D, 3, 64, 0.71, 0.6),
        ("cortex-m0plus", OpKind.CONV_2D, 1, 32, 0.83, 0.77),
        ("cortex-m0plus", OpKind.FULLY_CONNECTED, 1, 128, 0.74, 0.64),
        ("cortex-m0plus", OpKind.DEPTHWISE_CONV_2D, 3, 32, 1.01, 1.01),
        ("cortex-m3", OpKind.CONV_2D, 3, 16, 0.98, 0.82),
        ("riscv32", OpKind.CONV_2D, 3, 16, 0.91, 0.79),
        ("cortex-m4", OpKind.CONV_2D, 3, 64, 1.16, 1.14),
        ("cortex-m4", OpKind.CONV_2D, 1, 32, 1.23, 1.22),
        ("cortex-m4", OpKind.FULLY_CONNECTED, 1, 128, 1.29, 1.26),
        ("cortex-m4", OpKind.DEPTHWISE_CONV_2D, 3, 32, 1.02, 1.03),
    ],
)
def test_instructions_and_flash_against_int8(
    core: str, kind: OpKind, kernel: int, channels: int, int4: float, int2: float
) -> None:
    """Flash shrinks by a half or three quarters of the weights, less what unpacking takes."""
    counts, flash, weights = {}, {}, 0
    for bits in (8, 4, 2):
        graph = _random_layer(kind, bits, kernel, channels, side=5)
        run, flash[bits] = _run(graph, core, _inputs(graph, 0))
        counts[bits] = int(run.instructions[0])
        weights = math.prod(graph.tensors[graph.nodes[0].inputs[1]].shape)
    assert counts[4] <= int4 * counts[8], counts
    assert counts[2] <= int2 * counts[8], counts
    assert flash[8] - flash[4] >= weights // 2 - 800, flash
    assert flash[8] - flash[2] >= weights * 3 // 4 - 800, flash


@pytest.mark.parametrize("sum_shift", [4, 6])
def test_the_finer_requantization_equals_double_rounding(sum_shift: int) -> None:
    """`edgeflow_dsp_narrow_rescale` around ties, for shifts to the left and to the right."""
    rng = np.random.default_rng(sum_shift)
    for right_shift in range(1 - sum_shift, 17):
        for multiplier in (2**30, 2**31 - 1, *rng.integers(2**30, 2**31, 8).tolist()):
            zero_point = int(rng.integers(-128, 128))
            halves = np.arange(-300, 301) + 0.5
            ties = np.rint(halves * 2.0 ** (31 + right_shift) / multiplier).astype(np.int64)
            sums = (ties[:, None] + np.arange(-2, 3)).reshape(-1)
            sums = np.concatenate([sums, np.arange(-600, 601), rng.integers(-(2**23), 2**23, 500)])
            sums = sums[np.abs(sums) < 2**23]
            shift = right_shift + sum_shift
            base = ((2 * zero_point + 1) << shift) >> 1
            if right_shift >= 1:
                base = base + np.where(sums < 0, -(2 ** (sum_shift - 1)), 2 ** (sum_shift - 1))
            scaled = (base + (((sums << (sum_shift + 1)) * multiplier) >> 32)) >> shift
            exact = multiply_by_quantized_multiplier(sums, multiplier, -right_shift) + zero_point
            assert np.array_equal(np.clip(scaled, -128, 127), np.clip(exact, -128, 127))


@pytest.mark.parametrize("scale", [0.3, 0.6, 1.0, 3.7])
def test_scales_of_one_and_more_take_a_fast_kernel(scale: float, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pointwise = rng.integers(-2, 2, (5, 1, 1, 9)).astype(np.int8)
    depthwise = rng.integers(-8, 8, (1, 3, 3, 9)).astype(np.int8)
    graphs = [
        _layer(OpKind.CONV_2D, 2, pointwise, (1, 4, 4, 9), scale),
        _layer(OpKind.DEPTHWISE_CONV_2D, 4, depthwise, (1, 4, 4, 9), scale),
    ]
    for graph in graphs:
        text = generate(graph, KernelSet.DSP_C).files["edgeflow_model.c"]
        assert "edgeflow_dsp_" in text
        _run(graph, "cortex-m4", _inputs(graph, 1, count=2))
    models = compile_models(graphs, tmp_path, KernelSet.DSP_C)
    for graph, model in zip(graphs, models, strict=True):
        for fill in (-128, 127):
            x = np.full(graph.tensors[graph.inputs[0]].shape, fill, np.int8)
            assert_layers_match(graph, model, {graph.inputs[0]: x})


def test_a_width_that_the_target_does_not_run_is_refused_with_those_that_it_does() -> None:
    weights = np.full((3, 1, 1, 4), 3, np.int8)
    graph = _layer(OpKind.CONV_2D, 3, weights, (1, 2, 2, 4), 0.1)
    with pytest.raises(UnsupportedOperatorError, match="weights of 3 bits") as caught:
        require_legal(graph, load("cortex-m4"))
    assert caught.value.hint == "weight bits there: 8, 4, 2"
