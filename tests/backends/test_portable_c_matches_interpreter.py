from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.checker import check
from edgeflow.graph.ir import DType, FullyConnected, Graph, Node, OpKind, Quantization, Tensor
from tests.backends.host_model import assert_layers_match, compile_models
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


def _batch(source: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(graph_and_input(source), min_size=GRAPHS_PER_BUILD, max_size=GRAPHS_PER_BUILD)


def _check_all(cases: list, directory: Path) -> None:
    models = compile_models([graph for graph, _ in cases], directory)
    for (graph, inputs), model in zip(cases, models, strict=True):
        assert_layers_match(graph, model, inputs)


@_batches
@given(cases=_batch(graphs(max_nodes=8, dialect=Dialect.EDGEFLOW)))
def test_every_layer_of_random_graphs_equals_the_interpreter(cases, tmp_path):
    _check_all(cases, tmp_path)


@_batches
@given(cases=_batch(graphs(max_nodes=8, dialect=Dialect.EDGEFLOW).map(canonicalize)))
def test_canonical_random_graphs_equal_the_interpreter(cases, tmp_path):
    _check_all(cases, tmp_path)


@settings(_batches, max_examples=6)
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


def test_dense_outputs_at_rounding_boundaries_equal_the_double_arithmetic(tmp_path):
    """Scales for which sum * scale lies as close to k + 1/2 as float32 allows, on both sides."""
    rng = np.random.default_rng(11)
    sums = rng.integers(1, 2**24, size=1500) * rng.choice([-1, 1], size=1500)
    halves = rng.integers(-100, 100, size=1500) + 0.5
    scales = np.abs(halves / sums).astype(np.float32)
    scales = np.nextafter(scales, np.float32(1), where=rng.random(1500) < 0.3, out=scales.copy())
    graph = _dense_graph(sums.astype(np.int32), scales)
    check(graph)
    (model,) = compile_models([graph], tmp_path)
    x = np.zeros((1, 1), np.int8)
    assert_layers_match(graph, model, {"x": x})
    products = sums * scales.astype(np.float64)
    rounded = np.sign(products) * np.floor(np.abs(products) + 0.5)
    assert np.array_equal(model.invoke(x), np.clip(rounded, -128, 127).astype(np.int8))


def _dense_graph(bias: np.ndarray, weight_scales: np.ndarray) -> Graph:
    """One input of zero, so that the bias is the sum; input and output scales of 1."""
    one, scales = Quantization((1.0,), (0,)), tuple(float(scale) for scale in weight_scales)
    outputs = len(bias)
    zeros = (0,) * outputs
    weights = np.zeros((outputs, 1), np.int8)
    tensors = {
        "x": Tensor("x", (1, 1), DType.INT8, one),
        "w": Tensor("w", (outputs, 1), DType.INT8, Quantization(scales, zeros, 0), weights),
        "b": Tensor("b", (outputs,), DType.INT32, Quantization(scales, zeros, 0), bias),
        "y": Tensor("y", (1, outputs), DType.INT8, one),
    }
    node = Node("dense", OpKind.FULLY_CONNECTED, ("x", "w", "b"), ("y",), FullyConnected())
    return Graph("dense", tensors, (node,), ("x",), ("y",))


@pytest.mark.parametrize(
    "name",
    ["ic_resnet8_int8", "kws_dscnn_int8", "ad01_int8", "vww_mobilenet_int8"],
)
def test_mlperf_tiny_models_equal_the_interpreter_in_every_layer(name, tmp_path):
    from edgeflow.exchange.tflite import read

    graph = read(shared_file(f"{name}.tflite").read_bytes())
    (model,) = compile_models([graph], tmp_path)
    rng = np.random.default_rng(0)
    shape = graph.tensors[graph.inputs[0]].shape
    for _ in range(2):
        x = rng.integers(-128, 128, size=shape, dtype=np.int8)
        assert_layers_match(graph, model, {graph.inputs[0]: x})
