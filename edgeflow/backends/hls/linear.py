"""Operators of single values as integer factors: where a weighted sum tells all results apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgeflow.backends.fpga.exact_steps import Steps
from edgeflow.backends.fpga.layer import Layer
from edgeflow.backends.fpga.tables import steps_of_pairs
from edgeflow.backends.hls.rounding import is_exact
from edgeflow.graph.fixed_point import Int64Array
from edgeflow.graph.ir import Graph, Node

_BYTES = np.arange(-128, 128, dtype=np.int64)
_LEAST_BITS, _MOST_BITS = 6, 24


@dataclass(frozen=True, eq=False)
class Linear:
    """`steps` of the operands' bytes, each times its factor, to outputs with zero point.

    No output lies below `low` or above `high`, whatever the steps say beyond.
    """

    factors: tuple[int, ...]
    steps: Steps
    low: int
    high: int


def linear_of(graph: Graph, node: Node, layer: Layer) -> Linear | None:
    """The smallest factors that are exact; None where none is, as for what is not linear."""
    assert layer.tables is not None
    ratios = _ratios(graph, node)
    outputs = _outputs(layer, len(ratios))
    ends = int(outputs.min()), int(outputs.max())
    if len(ratios) == 1:
        steps = steps_of_pairs(_BYTES, outputs, ratios[0])
        return None if steps is None else Linear((1,), steps, *ends)
    for bits in range(_LEAST_BITS, _MOST_BITS + 1):
        unit = max(ratios) / (1 << bits)
        factors = [max(1, round(ratio / unit)) for ratio in ratios]
        shared = math.gcd(*factors)
        factors = [factor // shared for factor in factors]
        sums = (factors[0] * _BYTES[:, None] + factors[1] * _BYTES).ravel()
        steps = steps_of_pairs(sums, outputs, unit * shared)
        if steps is not None and is_exact(steps):
            return Linear(tuple(factors), steps, *ends)
    return None


def _ratios(graph: Graph, node: Node) -> list[float]:
    """Outputs per unit of each operand."""
    grids = [graph.tensors[name].quantization for name in (*node.inputs, node.outputs[0])]
    scales = [grid.scales[0] for grid in grids if grid is not None]
    return [scale / scales[-1] for scale in scales[:-1]]


def _outputs(layer: Layer, operands: int) -> Int64Array:
    """Of all bytes, or of all pairs of them, by the layer's tables."""
    assert layer.tables is not None
    tables = layer.tables[-operands:]
    sums = tables[0] if operands == 1 else (tables[0][:, None] + tables[1]).ravel()
    begins = layer.steps.begins[:, 0]
    first = layer.steps.outputs[0] - 1 if len(layer.steps.outputs) else layer.minimum
    return first + np.searchsorted(begins, sums, side="right")
