"""PAD, RESHAPE and CONCATENATION: values move, none changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeflow.graph.ir import Concatenation, Graph, Node, Pad
from edgeflow.graph.kernels.arrays import Int8Array, Value, int8_value


def pad(graph: Graph, node: Node, inputs: Sequence[Value]) -> Int8Array:
    """The input with the zero point around it."""
    assert isinstance(node.attributes, Pad)
    quantization = graph.tensors[node.outputs[0]].quantization
    assert quantization is not None
    return np.pad(
        int8_value(inputs[0]),
        node.attributes.pads,
        constant_values=quantization.zero_points[0],
    )


def reshape(graph: Graph, node: Node, inputs: Sequence[Value]) -> Int8Array:
    """The same elements in the output's shape; the batch stays."""
    x = int8_value(inputs[0])
    return x.reshape(len(x), *graph.tensors[node.outputs[0]].shape[1:])


def concatenation(graph: Graph, node: Node, inputs: Sequence[Value]) -> Int8Array:
    """The inputs joined along the axis; a constant one is repeated for each example."""
    assert isinstance(node.attributes, Concatenation)
    batch = max(len(value) for value in inputs)
    parts = [np.broadcast_to(int8_value(value), (batch, *value.shape[1:])) for value in inputs]
    return np.concatenate(parts, axis=node.attributes.axis)
