"""FULLY_CONNECTED, and the exact integer matrix product that convolution shares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgeflow.graph.fixed_point import Int64Array, multiply_as_double
from edgeflow.graph.ir import Graph, Node
from edgeflow.graph.kernels.arrays import Int8Array, Value, int8_value, to_int8
from edgeflow.graph.requantize import fully_connected_requantization

# A float of p significant bits holds every partial sum exactly while none exceeds 2**p.
_FLOAT32_EXACT = 2**24
_FLOAT64_EXACT = 2**53
_MAX_DIFFERENCE = 255


def fully_connected(graph: Graph, node: Node, inputs: Sequence[Value]) -> Int8Array:
    """x [N, in], weights [out, in], bias [out] to [N, out]."""
    constants = fully_connected_requantization(graph, node)
    x, weights, bias = int8_value(inputs[0]), int8_value(inputs[1]), inputs[2]
    differences = x.astype(np.int16) - constants.input_zero_point
    accumulators = exact_product(differences, weights) + bias.astype(np.int64)
    scaled = multiply_as_double(
        accumulators, np.array(constants.multipliers), np.array(constants.right_shifts)
    )
    return to_int8(scaled + constants.output_zero_point, constants.range)


def exact_product(rows: NDArray[np.int16], weights: Int8Array) -> Int64Array:
    """rows [n, k] times weights [m, k] transposed, exact: [n, m].

    Elements of `rows` are differences of int8 numbers. The product runs in floating point, which is
    much faster than integer products in numpy, in the narrowest type that holds every partial sum.
    """
    largest_sum = _MAX_DIFFERENCE * int(np.abs(weights.astype(np.int64)).sum(axis=1).max())
    if largest_sum >= _FLOAT64_EXACT:
        raise OverflowError(f"a dot product of {weights.shape[1]} terms cannot be held exactly")
    if largest_sum < _FLOAT32_EXACT:
        return (rows.astype(np.float32) @ weights.astype(np.float32).T).astype(np.int64)
    return (rows.astype(np.float64) @ weights.astype(np.float64).T).astype(np.int64)
