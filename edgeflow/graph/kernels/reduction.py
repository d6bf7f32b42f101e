"""MEAN over any axes but the batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeflow.graph.fixed_point import multiply_by_quantized_multiplier
from edgeflow.graph.ir import Graph, Mean, Node
from edgeflow.graph.kernels.arrays import Int8Array, Value, to_int8
from edgeflow.graph.requantize import mean_requantization


def mean(graph: Graph, node: Node, inputs: Sequence[Value]) -> Int8Array:
    """The mean over the axes, in the scale of the output."""
    assert isinstance(node.attributes, Mean)
    constants = mean_requantization(graph, node)
    total = inputs[0].sum(
        axis=node.attributes.axes, keepdims=node.attributes.keep_dims, dtype=np.int64
    )
    centred = total - constants.input_zero_point * constants.count
    scaled = multiply_by_quantized_multiplier(centred, constants.multiplier, constants.shift)
    return to_int8(scaled + constants.output_zero_point, constants.range)
