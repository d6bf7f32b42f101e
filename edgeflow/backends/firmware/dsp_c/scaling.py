"""Requantization constants of the DSP kernels, for channels where their short form is exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeflow.graph.fixed_point import saturating_rounding_doubling_high_mul
from edgeflow.graph.ir import Graph, Node
from edgeflow.graph.overflow import channel_bounds
from edgeflow.graph.requantize import conv_requantization


@dataclass(frozen=True)
class Scale:
    """`edgeflow_dsp_scale` of one channel."""

    multiplier: int
    base: int
    shift: int


def scale(multiplier: int, shift: int, zero_point: int, low: int, high: int) -> Scale | None:
    """The constants of `edgeflow_dsp_rescale` for accumulators from `low` to `high`.

    `shift` is positive to the left, as in `fixed_point.multiply_by_quantized_multiplier`. None where
    a left shift or a bound rules the short form out.
    """
    right = -shift
    if max(-low, high) >= 2**30:
        return None
    scaled = [int(saturating_rounding_doubling_high_mul(a, multiplier)) for a in (low, high)]
    reach = max(abs(value) for value in scaled)
    if (right >= 1 and reach < 1 << (right - 1)) or multiplier == 0:
        # Always the zero point; its base fits 32 bits for a shift of 1.
        multiplier, right, reach = 0, 1, 0
    if right < 1:
        return None
    base = (2 * zero_point + 1) << (right - 1)
    if reach + abs(base) + 1 >= 2**31:
        return None
    return Scale(multiplier, base, right)


def channel_scales(graph: Graph, node: Node) -> tuple[Scale, ...] | None:
    """One scale per output channel of a convolution, or None where one channel has none."""
    values = conv_requantization(graph, node)
    low, high = channel_bounds(graph, node)
    scales = [
        scale(multiplier, shift, values.output_zero_point, int(least), int(most))
        for multiplier, shift, least, most in zip(
            values.multipliers, values.shifts, low, high, strict=True
        )
    ]
    found = tuple(entry for entry in scales if entry is not None)
    return found if len(found) == len(scales) else None


def fits_pairs(low: NDArray[np.int64], high: NDArray[np.int64]) -> bool:
    """Whether 256 * s1 + s0 of neighbouring channels fits 32 bits, whatever the input."""
    reach = np.maximum(np.abs(low), np.abs(high))
    reach = np.append(reach, np.zeros(reach.size % 2, np.int64)).reshape(-1, 2)
    return bool(np.all(256 * reach[:, 1] + reach[:, 0] < 2**31))
