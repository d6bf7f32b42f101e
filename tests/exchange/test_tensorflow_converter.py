"""TFLiteConverter with our quantization parameters, against our own writer."""

from __future__ import annotations

import warnings
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from edgeflow.exchange import tflite
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.interpreter import run_batch
from edgeflow.graph.ir import Graph, Node, OpKind, Tensor
from edgeflow.lower.untrained import untrained_graph
from edgeflow.nets.registry import specify
from tests.shared_data import shared_file

pytestmark = pytest.mark.skipif(
    find_spec("tensorflow") is None, reason="needs tensorflow-cpu (the extra tf)"
)
INPUTS = 16
LEAST_SCALE = 4e-9
SHAPES = {"small": (16, 16, 1), "mlperf-resnet8": (32, 32, 3), "mlperf-dscnn": (49, 10, 1)}


def _converted(graph: Graph) -> Graph:
    """What the converter makes of it, read by us."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own
        from tests.exchange.keras_form import converted

        return tflite.read(converted(graph))


def _with_one_scale_in_dense_layers(graph: Graph) -> Graph:
    """The converter transposes no weights with several scales, so they get one."""
    tensors = dict(graph.tensors)
    for node in graph.nodes:
        if node.kind is OpKind.FULLY_CONNECTED:
            x, weights, bias = (tensors[name] for name in node.inputs)
            assert x.quantization is not None
            assert weights.quantization is not None
            scale = float(np.float32(weights.quantization.scales[0]))
            one = replace(weights.quantization, scales=(scale,), zero_points=(0,), axis=None)
            product = float(np.float32(scale) * np.float32(x.quantization.scales[0]))
            tensors[weights.name] = replace(weights, quantization=one)
            tensors[bias.name] = replace(bias, quantization=replace(one, scales=(product,)))
    return canonicalize(replace(graph, tensors=tensors))


def _same_grid(ours: Tensor, theirs: Tensor) -> None:
    """Scales of channels whose weights are nearly zero are not below the converter's least."""
    assert ours.quantization is not None
    assert theirs.quantization is not None
    scales = np.broadcast_arrays(ours.quantization.scales, theirs.quantization.scales)
    np.testing.assert_allclose(*(np.maximum(each, LEAST_SCALE) for each in scales), rtol=1e-5)
    assert set(ours.quantization.zero_points) == set(theirs.quantization.zero_points)


def _counterpart(node: Node, named: dict[str, str], found: Graph) -> Node:
    """The one node of the same kind that reads what this one reads; branches may change places."""
    read = {named[name] for name in node.inputs if name in named}
    (match,) = (
        other
        for other in found.nodes
        if other.kind is node.kind
        and other.attributes == node.attributes
        and {n for n in other.inputs if not found.tensors[n].is_constant} == read
    )
    return match


def _compare(graph: Graph) -> None:
    found = _converted(graph)
    assert len(found.nodes) == len(graph.nodes)
    named = dict(zip(graph.inputs, found.inputs, strict=True))
    for ours in graph.nodes:
        theirs = _counterpart(ours, named, found)
        named |= dict(zip(ours.outputs, theirs.outputs, strict=True))
        constants = [
            (graph.tensors[a], found.tensors[b])
            for a, b in zip(ours.inputs, theirs.inputs, strict=True)
            if graph.tensors[a].is_constant
        ]
        for one, two in constants[:1]:
            _same_grid(one, two)
            assert np.array_equal(one.data, two.data)  # type: ignore[arg-type]
        _same_grid(graph.tensors[ours.outputs[0]], found.tensors[theirs.outputs[0]])
    assert [named[name] for name in graph.outputs] == list(found.outputs)
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    x = np.random.default_rng(0).integers(-128, 128, (INPUTS, *shape), dtype=np.int8)
    assert np.array_equal(run_batch(graph, x), run_batch(found, x))


@pytest.mark.parametrize("name", SHAPES)
def test_networks_of_ours_come_out_as_our_writer_writes_them(name: str) -> None:
    spec = specify(name, SHAPES[name], 10)
    graph = _with_one_scale_in_dense_layers(canonicalize(untrained_graph(spec)))
    _compare(tflite.read(tflite.write(graph)))


@pytest.mark.parametrize("name", ["ic_resnet8_int8", "kws_dscnn_int8", "vww_mobilenet_int8"])
def test_the_networks_of_mlperf_tiny_come_out_as_they_were(name: str) -> None:
    _compare(tflite.read(shared_file(f"mlperf_tiny/{name}.tflite").read_bytes()))
