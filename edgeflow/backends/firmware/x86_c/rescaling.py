"""Requantization by one high product, with the two roundings of the graph in its base.

With m the multiplier, s the shift to the right and

    high = (4 * sum * m) >> 32

the graph's first rounding gives (high + 1) >> 1, and its second, to nearest with ties away from
zero, adds 2**(s - 1), less 1 below zero, before it shifts. Floors of floors are one floor, so that

    output = clamp((high + base) >> (s + 1))
    base = 2**(s + 1) * zero_point + 1 + (2**s - 2 * [sum < 0] for s > 0)

A sum below zero whose first rounding gives 0 ends at the zero
point with either base.

A shift to the left by l comes before the product: high = (4 * 2**l * sum * m) >> 32, and s is 0.
All channels share one shift of sums, 2 + e with e the largest l. Where a channel needs r = e - l
less, its high has r bits too many, and again floors of floors: its base is 2**r times as large, and
its shift is longer by r.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.dsp_c.scaling import Channels, settled_channels
from edgeflow.graph.ir import Graph, Node
from edgeflow.graph.requantize import conv_requantization

PLAIN_SUM_SHIFT = 2
_LARGEST_SUM = 2**29
_LARGEST_SHIFT = 21
_LARGEST = 2**31


@dataclass(frozen=True, eq=False)
class Rescaled:
    """A layer's channels, and `constants`, int64 [4, channels].

    They are the multipliers, the shifts, the bases below zero, and those from zero on. `sum_shift`
    is that of all sums.
    """

    channels: Channels
    constants: NDArray[np.int64]
    sum_shift: int


def rescaled(graph: Graph, node: Node) -> Rescaled | None:
    """The channels of a convolution; None where a number would not fit 32 bits."""
    found = settled_channels(graph, node)
    right, left = np.maximum(found.shifts, 0), np.maximum(-found.shifts, 0)
    more = int(left.max())
    rest = more - left
    reach = np.maximum(np.abs(found.low), np.abs(found.high)) << min(more, _LARGEST_SHIFT)
    if more > _LARGEST_SHIFT or np.any(right + rest > _LARGEST_SHIFT):
        return None
    if np.any(reach >= _LARGEST_SUM):
        return None
    values = conv_requantization(graph, node)
    zero_point = values.output_zero_point
    half = np.where(right > 0, 1 << right, 0)
    above = (2 * zero_point * (1 << right) + 1 + half) << rest
    # Where nothing below the zero point is left, sums below zero end there with either base.
    signed = values.range.minimum < zero_point
    below = above - (np.where((right > 0) & signed, 2, 0) << rest)
    highest = (reach * found.multipliers >> 30) + 1 + np.abs(above)
    if np.any(highest >= _LARGEST):
        return None
    constants = np.stack([found.multipliers, right + rest + 1, below, above])
    return Rescaled(found, constants, PLAIN_SUM_SHIFT + more)
