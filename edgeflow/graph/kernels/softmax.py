"""SOFTMAX in gemmlowp's fixed-point arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeflow.graph.fixed_point import (
    exp_on_negative_values,
    reciprocal,
    rounding_divide_by_pot,
    saturating_rounding_doubling_high_mul,
)
from edgeflow.graph.ir import Graph, Node
from edgeflow.graph.kernels.arrays import Int8Array, Value, to_int8
from edgeflow.graph.requantization import OutputRange
from edgeflow.graph.requantize import softmax_scaling

_ACCUMULATOR_INTEGER_BITS = 12
_OUTPUT_BITS = 8


def softmax(graph: Graph, node: Node, inputs: Sequence[Value]) -> Int8Array:
    """Softmax over the last axis, scale 1/256 and zero point -128."""
    scaling = softmax_scaling(graph, node)
    x = inputs[0].astype(np.int64)
    difference = x - x.max(axis=-1, keepdims=True)
    counts = difference >= scaling.difference_minimum
    # Differences that do not count are replaced before the shift, which they could overflow.
    rescaled = saturating_rounding_doubling_high_mul(
        np.where(counts, difference, 0) << scaling.left_shift, scaling.multiplier
    )
    exponentials = exp_on_negative_values(rescaled)
    terms = rounding_divide_by_pot(exponentials, _ACCUMULATOR_INTEGER_BITS)
    total = np.where(counts, terms, 0).sum(axis=-1, keepdims=True)
    scale, bits_over_unit = reciprocal(total, _ACCUMULATOR_INTEGER_BITS)
    probability = rounding_divide_by_pot(
        saturating_rounding_doubling_high_mul(scale, exponentials),
        bits_over_unit + 31 - _OUTPUT_BITS,
    )
    return to_int8(np.where(counts, probability, 0) - 128, OutputRange(-128, 127))
