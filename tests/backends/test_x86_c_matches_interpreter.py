"""The kernel set for x86-64 on this host: AVX2 always, AVX-512 VNNI where the processor has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeflow.backends.firmware.x86_c.convolution import fast_channels as fast_convolution
from edgeflow.backends.firmware.x86_c.depthwise import fast_channels as fast_depthwise
from edgeflow.exchange import tflite
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.constant_channels import without_constant_channels
from edgeflow.graph.fixed_point import multiply_by_quantized_multiplier
from edgeflow.graph.ir import Graph, OpKind
from edgeflow.targets.schema import KernelSet
from tests.backends.host_model import assert_layers_match, compile_models
from tests.backends.kernel_sets import FEATURES, needs_avx2
from tests.backends.ordinary_networks import ordinary_network
from tests.backends.single_layers import convolution, with_large_scales
from tests.graph.strategies import Dialect, graph_and_input, graphs, single_operator
from tests.shared_data import shared_file

GRAPHS_PER_BUILD = 20

pytestmark = needs_avx2

_PROLOGUES = {
    "avx2": {"edgeflow_x86.c": "#define EDGEFLOW_WITHOUT_AVX512\n"},
    "vnni": {},
}
PATHS = (
    "avx2",
    pytest.param(
        "vnni",
        marks=pytest.mark.skipif(
            not {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni"} <= FEATURES,
            reason="needs a processor with AVX-512 VNNI",
        ),
    ),
)
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


def _check_all(cases: list, directory: Path, path: str) -> None:
    graphs_alone = [graph for graph, _ in cases]
    prologues = _PROLOGUES[path]
    models = compile_models(graphs_alone, directory, KernelSet.X86_C, prologues=prologues)
    for (graph, inputs), model in zip(cases, models, strict=True):
        assert_layers_match(graph, model, inputs)


@pytest.mark.parametrize("path", PATHS)
@_batches
@given(
    cases=st.lists(
        graph_and_input(graphs(max_nodes=8, dialect=Dialect.EDGEFLOW).map(canonicalize)),
        min_size=GRAPHS_PER_BUILD,
        max_size=GRAPHS_PER_BUILD,
    )
)
def test_every_layer_of_random_graphs_equals_the_interpreter(path, cases, tmp_path):
    _check_all(cases, tmp_path, path)


@pytest.mark.parametrize("path", PATHS)
@_batches
@given(
    cases=st.tuples(
        *(
            graph_and_input(single_operator(kind, max_inputs=1, dialect=Dialect.EDGEFLOW))
            for kind in (*OpKind, *OpKind)
        )
    )
)
def test_each_operator_equals_the_interpreter(path, cases, tmp_path):
    _check_all(cases, tmp_path, path)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("first", range(0, 160, 40))
def test_ordinary_networks_equal_the_interpreter(path, first, tmp_path):
    cases = []
    for seed in range(first, first + 40):
        graph = ordinary_network(seed, weight_bits=(8, 4, 2) if seed % 4 == 0 else (8,))
        shape = graph.tensors[graph.inputs[0]].shape
        x = np.random.default_rng(seed).integers(-128, 128, shape, dtype=np.int8)
        cases.append((graph, {graph.inputs[0]: x}))
    _check_all(cases, tmp_path, path)


def _with_input(graph: Graph, seed: int) -> tuple[Graph, dict[str, np.ndarray]]:
    shape = graph.tensors[graph.inputs[0]].shape
    x = np.random.default_rng(seed).integers(-128, 128, shape, dtype=np.int8)
    return graph, {graph.inputs[0]: x}


CONVOLUTIONS = [
    (OpKind.CONV_2D, image, kernel, stride, outputs)
    for outputs in (1, 8, 15, 16, 17, 24, 40, 48, 62, 64, 65, 110, 128, 130)
    for image, kernel, stride in (
        ((5, 17, 3), (3, 3), 1),
        ((7, 6, 20), (1, 1), 1),
        ((9, 13, 5), (3, 5), 2),
    )
]
DEPTHWISE = [
    (OpKind.DEPTHWISE_CONV_2D, (6, 11, channels), kernel, stride, channels)
    for channels in (1, 2, 3, 8, 16, 24, 32, 33, 40, 64, 96, 100)
    for kernel, stride in (((3, 3), 1), ((3, 3), 2), ((5, 2), 1))
]


@pytest.mark.parametrize("path", PATHS)
def test_convolutions_of_every_width_take_the_fast_kernel_and_are_equal(path, tmp_path):
    """Whole vectors and blocks of channels, and what is left over at the end of each."""
    cases = [_with_input(convolution(*shape), i) for i, shape in enumerate(CONVOLUTIONS)]
    for graph, _ in cases:
        assert fast_convolution(graph, graph.nodes[0]) is not None
    _check_all(cases, tmp_path, path)


@pytest.mark.parametrize("path", PATHS)
def test_depthwise_layers_of_every_width_take_the_fast_kernel_and_are_equal(path, tmp_path):
    cases = [_with_input(convolution(*shape), i) for i, shape in enumerate(DEPTHWISE)]
    for graph, _ in cases:
        assert fast_depthwise(graph, graph.nodes[0]) is not None
    _check_all(cases, tmp_path, path)


@pytest.mark.parametrize("path", PATHS)
def test_narrow_weights_with_large_scales_take_the_fast_kernels_and_are_equal(path, tmp_path):
    """Sums of narrow weights are small, and their scales are often above 1/2."""
    cases = []
    for seed, shape in enumerate((*CONVOLUTIONS[:12], *DEPTHWISE[:12])):
        graph = with_large_scales(convolution(*shape), seed)
        fast = fast_convolution if shape[0] is OpKind.CONV_2D else fast_depthwise
        found = fast(graph, graph.nodes[0])
        assert found is not None
        cases.append(_with_input(graph, seed))
    assert any(fast_depthwise(graph, graph.nodes[0]).sum_shift > 3 for graph, _ in cases[-6:])
    _check_all(cases, tmp_path, path)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "name",
    ["ic_resnet8_int8", "kws_dscnn_int8", "vww_mobilenet_int8", "ad01_int8", "sww_int8"],
)
def test_every_layer_of_the_mlperf_tiny_models_equals_the_interpreter(path, name, tmp_path):
    model = shared_file(f"mlperf_tiny/{name}.tflite").read_bytes()
    graph = without_constant_channels(canonicalize(tflite.read(model)))
    _check_all([_with_input(graph, seed) for seed in range(2)], tmp_path, path)


@pytest.mark.parametrize("shift", [0, 1, 2, 7, 15, 21])
def test_one_product_rounds_as_the_graph_does_around_every_boundary(shift):
    rng = np.random.default_rng(3)
    around = np.arange(-130, 130)[:, None] - 0.5
    for m in (2**30, 2**30 + 1, 2**31 - 1, *(int(m) for m in rng.integers(2**30, 2**31, 40))):
        boundaries = around * 2.0 ** (31 + shift) / m + np.arange(-2, 3)
        near = np.clip(boundaries, -(2**28), 2**28).astype(np.int64).reshape(-1)
        sums = np.unique(np.concatenate([np.arange(-70, 70), near]))
        high = (4 * sums * m) >> 32
        half = 2**shift if shift else 0
        base = 1 + half - np.where((sums < 0) & (shift > 0), 2, 0)
        expected = multiply_by_quantized_multiplier(sums, m, -shift)
        assert np.array_equal((high + base) >> (shift + 1), expected), m
