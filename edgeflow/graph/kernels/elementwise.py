"""ADD and MUL of two tensors, one of which may broadcast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeflow.graph.fixed_point import Int64Array, multiply_by_quantized_multiplier
from edgeflow.graph.ir import Graph, Node
from edgeflow.graph.kernels.arrays import Int8Array, Value, to_int8
from edgeflow.graph.requantize import add_requantization, mul_requantization


def add(graph: Graph, node: Node, inputs: Sequence[Value]) -> Int8Array:
    """The sum in the scale of the output, through a common intermediate scale."""
    constants = add_requantization(graph, node)
    first, second = _aligned(graph, node, inputs)
    scaled1 = multiply_by_quantized_multiplier(
        (first - constants.input1_zero_point) << constants.left_shift,
        constants.input1_multiplier,
        constants.input1_shift,
    )
    scaled2 = multiply_by_quantized_multiplier(
        (second - constants.input2_zero_point) << constants.left_shift,
        constants.input2_multiplier,
        constants.input2_shift,
    )
    total = multiply_by_quantized_multiplier(
        scaled1 + scaled2, constants.output_multiplier, constants.output_shift
    )
    return to_int8(total + constants.output_zero_point, constants.range)


def mul(graph: Graph, node: Node, inputs: Sequence[Value]) -> Int8Array:
    """The product in the scale of the output."""
    constants = mul_requantization(graph, node)
    first, second = _aligned(graph, node, inputs)
    product = (first - constants.input1_zero_point) * (second - constants.input2_zero_point)
    scaled = multiply_by_quantized_multiplier(product, constants.multiplier, constants.shift)
    return to_int8(scaled + constants.output_zero_point, constants.range)


def _aligned(graph: Graph, node: Node, inputs: Sequence[Value]) -> tuple[Int64Array, Int64Array]:
    """Both operands with the output's rank, so that an activation's batch stays in front."""
    rank = len(graph.tensors[node.outputs[0]].shape)
    first, second = (
        value.reshape(value.shape[:1] + (1,) * (rank - value.ndim) + value.shape[1:])
        if value.ndim < rank
        else value
        for value in (x.astype(np.int64) for x in inputs)
    )
    return first, second
