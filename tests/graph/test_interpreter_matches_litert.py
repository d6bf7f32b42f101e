from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgeflow.graph.interpreter import run, run_batch, trace
from edgeflow.graph.ir import FullyConnected, Graph, OpKind, Quantization
from tests.graph.builder import GraphBuilder
from tests.graph.litert import reference_tensors
from tests.graph.strategies import graph_and_input, graphs, single_operator

SLOW_DRAWS = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
BATCH = 3


def assert_every_tensor_matches(graph: Graph, inputs: dict[str, NDArray[np.int8]]) -> None:
    expected = reference_tensors(graph, inputs)
    actual = trace(graph, inputs)
    for node in graph.nodes:
        for name in node.outputs:
            np.testing.assert_array_equal(actual[name], expected[name], err_msg=str(node))


@pytest.mark.parametrize("kind", OpKind)
@settings(max_examples=100, deadline=None, suppress_health_check=SLOW_DRAWS)
@given(data=st.data())
def test_single_operator_matches_reference_bit_for_bit(kind: OpKind, data: st.DataObject) -> None:
    graph, inputs = data.draw(graph_and_input(single_operator(kind), batch=BATCH))
    assert_every_tensor_matches(graph, inputs)


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW_DRAWS)
@given(graph_and_input(graphs(max_nodes=8, max_inputs=2, max_outputs=3), batch=2))
def test_graphs_with_branches_match_reference_bit_for_bit(
    drawn: tuple[Graph, dict[str, NDArray[np.int8]]],
) -> None:
    assert_every_tensor_matches(*drawn)


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW_DRAWS)
@given(st.integers(1, 63), st.integers(3, 4000), st.integers(0, 7), st.integers(-128, 127))
def test_dense_layer_with_accumulators_on_rounding_boundaries_matches_reference(
    input_scale: int, output_scale: int, weight_exponent: int, zero_point: int
) -> None:
    # Whole scales make accumulators fall onto .5 up to the last bit of a double.
    b = GraphBuilder()
    weight_scale = 2.0**-weight_exponent
    x = b.input((1, 2), Quantization((float(input_scale),), (zero_point,)))
    weights = b.constant(np.array([[127, 1]], np.int8), Quantization((weight_scale,), (0,)))
    bias_parameters = Quantization((input_scale * weight_scale,), (0,))
    bias = b.constant(np.zeros(1, np.int32), bias_parameters)
    parameters = Quantization((float(output_scale),), (0,))
    y = b.node(OpKind.FULLY_CONNECTED, [x, weights, bias], FullyConnected(), parameters)
    values = np.random.default_rng(zero_point + 128).integers(-128, 128, (128, 2), dtype=np.int8)
    assert_every_tensor_matches(b.build([y.name]), {x.name: values})


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW_DRAWS)
@given(graph_and_input(graphs(), batch=5))
def test_batch_equals_its_examples_one_by_one(
    drawn: tuple[Graph, dict[str, NDArray[np.int8]]],
) -> None:
    graph, inputs = drawn
    (name,), (output,) = graph.inputs, graph.outputs
    together = run_batch(graph, inputs[name])
    alone = [run(graph, {name: inputs[name][i : i + 1]})[output] for i in range(5)]
    np.testing.assert_array_equal(together, np.concatenate(alone))
