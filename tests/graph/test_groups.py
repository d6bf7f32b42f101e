"""Grouped convolutions: right in the interpreter, in what costs are read from, and in files."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edgeflow.backends.tflm.operators import file_operators
from edgeflow.errors import GraphError, UnsupportedOperatorError
from edgeflow.exchange.onnx_qdq_write import write_graph
from edgeflow.exchange.tflite import read, write
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.channel_bounds import channel_bounds
from edgeflow.graph.checker import check
from edgeflow.graph.constant_channels import without_constant_channels
from edgeflow.graph.cost import macs, signature
from edgeflow.graph.interpreter import run_batch, trace
from edgeflow.graph.ir import Conv2D, Graph, OpKind, Quantization, Window
from edgeflow.profiles.features import features
from tests.exchange.test_onnx_qdq import largest_difference
from tests.graph.builder import GraphBuilder
from tests.graph.litert import reference_tensors

_SAME = Window(pad_top=1, pad_bottom=1, pad_left=1, pad_right=1)


def _network(groups: int, dead: bool = False, filters: int = 8) -> Graph:
    """A 1x1 convolution (two channels of it constant where `dead`) and a grouped 3x3 one."""
    rng = np.random.default_rng(groups)
    b = GraphBuilder()
    x = b.input((1, 5, 5, 8), Quantization((2.0**-4,), (3,)))
    for kernel, parts, outputs in ((1, 1, 8), (3, groups, filters)):
        shape = (outputs, kernel, kernel, 8 // parts)
        values = rng.integers(-127, 128, shape, dtype=np.int8)
        if dead and parts == 1:
            values[[1, 6]] = 0
        scales = tuple(float(s) for s in 2.0 ** rng.integers(-10, -7, outputs))
        zeros = (0,) * outputs
        weights = b.constant(values, Quantization(scales, zeros, 0))
        offsets = rng.integers(-500, 500, outputs, dtype=np.int32)
        scale = x.quantization.scales[0]
        bias = b.constant(offsets, Quantization(tuple(scale * s for s in scales), zeros, 0))
        attributes = Conv2D(_SAME if kernel == 3 else Window())
        x = b.node(OpKind.CONV_2D, [x, weights, bias], attributes, Quantization((2.0**-4,), (-7,)))
    return b.build([x.name])


def _images() -> np.ndarray:
    return np.random.default_rng(0).integers(-128, 128, (3, 5, 5, 8), dtype=np.int8)


@pytest.mark.parametrize("groups", [2, 4, 8])
@pytest.mark.parametrize("filters", [8, 16])
def test_grouped_convolutions_match_the_reference_and_stay_in_their_bounds(groups, filters):
    graph = _network(groups, filters=filters)
    inputs = {graph.inputs[0]: _images()}
    expected, bounds = reference_tensors(graph, inputs), channel_bounds(graph)
    for name, values in trace(graph, inputs).items():
        assert np.array_equal(values, expected[name])
        assert np.all((bounds[name].low <= values) & (values <= bounds[name].high))


@pytest.mark.parametrize("groups", [2, 4])
def test_constant_channels_before_a_grouped_convolution_stay(groups):
    graph = _network(groups, dead=True)
    narrow = without_constant_channels(graph)
    check(narrow)
    assert np.array_equal(run_batch(graph, _images()), run_batch(narrow, _images()))
    assert narrow.tensors[narrow.nodes[1].inputs[0]].shape[3] == 8


def test_signature_and_its_features_count_the_products_of_the_groups():
    graph = _network(4)
    text = signature(graph, graph.nodes[1])
    assert "kernel=3x3 stride=1x1 pad=1,1,1,1 groups=4" in text
    assert features(text).products == macs(graph, graph.nodes[1]) == 25 * 9 * 2 * 8
    assert "groups" not in signature(graph, graph.nodes[0])


def test_a_tflite_file_keeps_the_groups():
    graph = _network(4)
    again = read(write(graph))
    assert again.nodes[1].kind is OpKind.CONV_2D
    assert again.tensors[again.nodes[1].inputs[1]].shape == (8, 3, 3, 2)
    assert np.array_equal(run_batch(graph, _images()), run_batch(again, _images()))


@pytest.mark.parametrize("filters", [8, 16])
def test_groups_of_single_channels_are_depthwise(filters):
    graph = _network(8, filters=filters)
    found = canonicalize(graph)
    check(found)
    assert found.nodes[1].kind is OpKind.DEPTHWISE_CONV_2D
    assert found.tensors[found.nodes[1].inputs[1]].quantization.axis == 3
    assert np.array_equal(run_batch(graph, _images()), run_batch(found, _images()))


def test_groups_that_do_not_divide_the_filters_are_an_error():
    with pytest.raises(GraphError, match="weights"):
        _network(4, filters=6)


def test_the_engine_tflm_has_no_kernel_for_groups_and_says_so():
    with pytest.raises(UnsupportedOperatorError, match="in groups"):
        file_operators(write(_network(4)))


@pytest.mark.parametrize("groups", [2, 4, 8])
def test_a_written_onnx_file_has_the_groups_and_agrees_with_onnxruntime(groups):
    graph = _network(groups)
    data = write_graph(graph)
    inputs = {graph.inputs[0]: _images()[:1]}
    assert largest_difference(graph, data, inputs) <= 1
    convolutions = [
        node for node in onnx.load_from_string(data).graph.node if node.op_type == "Conv"
    ]
    assert [a.i for a in convolutions[1].attribute if a.name == "group"] == [groups]
