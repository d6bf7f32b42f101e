"""Operators of single values as tables: a sum of two of them goes through the same requantization.

For ADD the tables hold both operands in the graph's common scale, with as few bits as leave all
65,536 pairs exact; for operators of one operand the second table holds the answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeflow.backends.fpga.exact_steps import MOST_BITS, USUAL_SHIFT, Steps, scaling, steps_of
from edgeflow.graph.fixed_point import Int64Array, multiply_by_quantized_multiplier
from edgeflow.graph.ir import Graph, Node, OpKind
from edgeflow.graph.kernels import KERNELS
from edgeflow.graph.requantization import OutputRange
from edgeflow.graph.requantize import add_requantization

_BYTES = np.arange(-128, 128, dtype=np.int64)
_MOST_DROPPED_BITS = 16


@dataclass(frozen=True, eq=False)
class Tables:
    """int64 [2, 256] by input + 128, and the steps of their sums to outputs with zero point."""

    tables: Int64Array
    steps: Steps
    range: OutputRange


def tables_of(graph: Graph, node: Node) -> Tables | None:
    """The tables of a node; None where its operands differ in shape or no tables are exact."""
    if node.kind is OpKind.ADD:
        return _add(graph, node)
    values = _BYTES.astype(np.int8)
    shape = graph.tensors[node.inputs[0]].shape
    rows = np.broadcast_to(values.reshape(-1, *(1,) * (len(shape) - 1)), (256, *shape[1:]))
    outputs = KERNELS[node.kind](graph, node, [rows]).reshape(256, -1)[:, 0].astype(np.int64)
    ends = np.array([-128]), np.array([127])
    steps = steps_of(lambda sums: sums, *ends, np.ones(1), range(-128, 128))
    return Tables(np.stack([np.zeros_like(outputs), outputs]), steps, OutputRange(-128, 127))


def _add(graph: Graph, node: Node) -> Tables | None:
    first, second = (graph.tensors[name] for name in node.inputs)
    if first.shape != second.shape or first.is_constant or second.is_constant:
        return None
    constants = add_requantization(graph, node)
    operands = [
        multiply_by_quantized_multiplier(
            (_BYTES - zero_point) << constants.left_shift, multiplier, shift
        )
        for zero_point, multiplier, shift in (
            (constants.input1_zero_point, constants.input1_multiplier, constants.input1_shift),
            (constants.input2_zero_point, constants.input2_multiplier, constants.input2_shift),
        )
    ]
    total = multiply_by_quantized_multiplier(
        operands[0][:, None] + operands[1], constants.output_multiplier, constants.output_shift
    )
    bounds = constants.range
    outputs = np.clip(total + constants.output_zero_point, bounds.minimum, bounds.maximum).ravel()
    scale = constants.output_multiplier * 2.0 ** (constants.output_shift - 31)
    for dropped in range(_MOST_DROPPED_BITS, -1, -1):
        half = (1 << dropped) >> 1
        tables = np.stack([(each + half) >> dropped for each in operands])
        sums = (tables[0][:, None] + tables[1]).ravel()
        steps = steps_of_pairs(sums, outputs, scale * 2.0**dropped)
        if steps is not None and scaling(steps, USUAL_SHIFT, MOST_BITS) is not None:
            reached = OutputRange(int(outputs.min()), int(outputs.max()))
            return Tables(tables, steps, reached)
    return None


def steps_of_pairs(sums: Int64Array, outputs: Int64Array, scale: float) -> Steps | None:
    """Of sums that occur; None where they do not tell outputs apart."""
    least, most = int(outputs.min()), int(outputs.max())
    lowest = np.full(most - least + 1, np.iinfo(np.int64).max)
    highest = np.full(most - least + 1, np.iinfo(np.int64).min)
    np.minimum.at(lowest, outputs - least, sums)
    np.maximum.at(highest, outputs - least, sums)
    # An output that no pair gives begins where the next one does.
    begins = np.minimum.accumulate(lowest[::-1])[::-1][1:]
    before = np.maximum.accumulate(highest)[:-1]
    if np.any(before >= begins):
        return None
    wanted = np.arange(least + 1, most + 1, dtype=np.int64)
    ends = np.array([sums.min()]), np.array([sums.max()])
    return Steps(wanted, begins[:, None], before[:, None], *ends, np.array([scale]))
