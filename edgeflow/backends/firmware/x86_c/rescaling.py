"""Requantization by one high product, with the two roundings of the graph in its base.

With m the multiplier, s the shift to the right and

    high = (4 * sum * m) >> 32

the graph's first rounding gives (high + 1) >> 1, and its second, to nearest with ties away from
zero, adds 2**(s - 1), less 1 below zero, before it shifts. Floors of floors are one floor, so that

    output = clamp((high + base) >> (s + 1))
    base = 2**(s + 1) * zero_point + 1 + (2**s - 2 * [sum < 0] for s > 0)

A sum below zero whose first rounding gives 0 ends at the zero
point with either base.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.dsp_c.scaling import Channels, settled_channels
from edgeflow.graph.ir import Graph, Node
from edgeflow.graph.requantize import conv_requantization

_LARGEST_SUM = 2**29
_LARGEST_SHIFT = 21
_LARGEST = 2**31


@dataclass(frozen=True, eq=False)
class Rescaled:
    """A layer's channels, and `constants`, int64 [4, channels].

    They are the multipliers, the shifts, the bases below zero, and those from zero on.
    """

    channels: Channels
    constants: NDArray[np.int64]


def rescaled(graph: Graph, node: Node) -> Rescaled | None:
    """The channels of a convolution; None where a number would not fit 32 bits."""
    found = settled_channels(graph, node)
    shifts = found.shifts
    reach = np.maximum(np.abs(found.low), np.abs(found.high))
    if np.any(shifts < 0) or np.any(shifts > _LARGEST_SHIFT) or np.any(reach >= _LARGEST_SUM):
        return None
    values = conv_requantization(graph, node)
    zero_point = values.output_zero_point
    half = np.where(shifts > 0, 1 << shifts, 0)
    above = 2 * zero_point * (1 << shifts) + 1 + half
    # Where nothing below the zero point is left, sums below zero end there with either base.
    signed = values.range.minimum < zero_point
    below = above - np.where((shifts > 0) & signed, 2, 0)
    highest = (reach * found.multipliers >> 30) + 1 + np.abs(above)
    if np.any(highest >= _LARGEST):
        return None
    return Rescaled(found, np.stack([found.multipliers, shifts + 1, below, above]))
