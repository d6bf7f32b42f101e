from __future__ import annotations

import numpy as np
import pytest

from edgeflow.errors import GraphError
from edgeflow.graph.interpreter import run, run_batch, trace
from edgeflow.graph.ir import Conv2D, Elementwise, Graph, NoAttributes, OpKind, Quantization, Window
from edgeflow.graph.kernels import KERNELS, arrays
from edgeflow.graph.kernels.dense import exact_product
from tests.graph.builder import GraphBuilder

X = Quantization((0.5,), (0,))


def branches() -> Graph:
    b = GraphBuilder()
    x = b.input((1, 4), X)
    y = b.node(OpKind.RELU, [x], NoAttributes(), X)
    z = b.node(OpKind.ADD, [x, y], Elementwise(), X)
    return b.build([z.name, y.name])


def test_every_operator_has_a_kernel() -> None:
    assert set(KERNELS) == set(OpKind)


def test_run_returns_outputs_only_and_trace_every_activation() -> None:
    graph = branches()
    x = np.array([[-3, 0, 5, 100]], np.int8)
    outputs = run(graph, {"input0": x})
    everything = trace(graph, {"input0": x})
    assert list(outputs) == ["add1_output", "relu0_output"]
    assert set(everything) == {"input0", "relu0_output", "add1_output"}
    assert outputs["add1_output"].tolist() == [[-3, 0, 10, 127]]
    assert outputs["relu0_output"].tolist() == [[0, 0, 5, 100]]


def test_inputs_are_left_as_they_are() -> None:
    x = np.array([[-3, 0, 5, 100]], np.int8)
    run(branches(), {"input0": x})
    assert x.tolist() == [[-3, 0, 5, 100]]


@pytest.mark.parametrize(
    "x",
    [
        np.zeros((1, 4), np.int16),
        np.zeros((1, 5), np.int8),
        np.zeros((4,), np.int8),
        np.zeros((0, 4), np.int8),
    ],
)
def test_input_of_another_type_or_shape_is_refused(x: np.ndarray) -> None:
    with pytest.raises(GraphError, match="input"):
        run(branches(), {"input0": x})


def test_input_of_another_name_is_refused() -> None:
    with pytest.raises(GraphError, match="other"):
        run(branches(), {"other": np.zeros((1, 4), np.int8)})


def test_inputs_of_different_batch_sizes_are_refused() -> None:
    b = GraphBuilder()
    x, y = b.input((1, 4), X), b.input((1, 4), X)
    graph = b.build([b.node(OpKind.ADD, [x, y], Elementwise(), X).name])
    with pytest.raises(GraphError, match="batch sizes"):
        run(graph, {"input0": np.zeros((1, 4), np.int8), "input1": np.zeros((2, 4), np.int8)})


def test_batch_needs_one_input_and_one_output() -> None:
    with pytest.raises(GraphError, match="2 outputs"):
        run_batch(branches(), np.zeros((1, 4), np.int8))


def test_large_batches_go_in_slices_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    b = GraphBuilder()
    rng = np.random.default_rng(1)
    x = b.input((1, 6, 6, 2), X)
    w = b.constant(rng.integers(-9, 9, (3, 3, 3, 2)).astype(np.int8), X)
    bias = b.constant(np.zeros(3, np.int32), Quantization((0.25,), (0,)))
    y = b.node(OpKind.CONV_2D, [x, w, bias], Conv2D(Window()), Quantization((16.0,), (0,)))
    graph = b.build([y.name])
    data = rng.integers(-128, 128, (7, 6, 6, 2), dtype=np.int8)
    whole = run_batch(graph, data)
    monkeypatch.setattr(arrays, "MAX_BUFFER_ELEMENTS", 700)
    assert len(arrays.batch_slices(7, 16 * 18)) == 4
    np.testing.assert_array_equal(run_batch(graph, data), whole)
    assert len(np.unique(whole)) > 10


@pytest.mark.parametrize("depth", [10, 600, 5000])
def test_products_are_exact_at_the_extremes(depth: int) -> None:
    rng = np.random.default_rng(depth)
    rows = rng.choice(np.array([-255, 254, 255], np.int16), (3, depth))
    weights = rng.choice(np.array([-128, 127], np.int8), (4, depth))
    expected = rows.astype(object) @ weights.astype(object).T
    assert exact_product(rows, weights).tolist() == expected.tolist()
