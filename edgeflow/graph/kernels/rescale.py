"""RELU, RELU6 and QUANTIZE: one input brought to other parameters and clamped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeflow.graph.fixed_point import multiply_by_quantized_multiplier
from edgeflow.graph.ir import Graph, Node
from edgeflow.graph.kernels.arrays import Int8Array, Value, to_int8
from edgeflow.graph.requantization import Rescaling
from edgeflow.graph.requantize import quantize_rescaling, relu_rescaling


def relu(graph: Graph, node: Node, inputs: Sequence[Value]) -> Int8Array:
    """RELU and RELU6 as operators of their own."""
    return _rescaled(inputs[0], relu_rescaling(graph, node))


def quantize(graph: Graph, node: Node, inputs: Sequence[Value]) -> Int8Array:
    """int8 to int8 with other parameters."""
    return _rescaled(inputs[0], quantize_rescaling(graph, node))


def _rescaled(x: Value, constants: Rescaling) -> Int8Array:
    centred = x.astype(np.int64) - constants.input_zero_point
    scaled = multiply_by_quantized_multiplier(centred, constants.multiplier, constants.shift)
    return to_int8(scaled + constants.output_zero_point, constants.range)
