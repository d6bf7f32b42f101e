"""Requantization constants of the DSP kernels, for layers where their short form is exact."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgeflow.graph.fixed_point import (
    multiply_by_quantized_multiplier,
    saturating_rounding_doubling_high_mul,
)
from edgeflow.graph.ir import Graph, Node, OpKind
from edgeflow.graph.requantize import conv_requantization

_CONSTANT_MULTIPLIER, _CONSTANT_SHIFT = 2**30, 1

# Of `edgeflow_dsp_narrow_rescale`: base and product stay below 2**31 with it.
_LARGEST_NARROW_SHIFT = 22
_TWO_ROUNDINGS = 32
# EDGEFLOW_DSP_FINER
FINER = 8


@dataclass(frozen=True)
class Scale:
    """`edgeflow_dsp_scale`."""

    multiplier: int
    base: int
    shift: int


@dataclass(frozen=True, eq=False)
class Channels:
    """A layer's output channels: int8 weights [channels, taps] and per channel the rest.

    `bias` has the input zero point folded in and, as `low` and `high`, the bounds of the sums, is a
    number without overflow. Shifts are to the right.
    """

    rows: NDArray[np.int8]
    bias: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    multipliers: NDArray[np.int64]
    shifts: NDArray[np.int64]

    def packs(self, shift_bits: int) -> bool:
        """Whether bias and shift of every channel fit one word, the shift in its lowest bits."""
        return bool(np.all(np.abs(self.bias) < 2 ** (31 - shift_bits)))

    def packed(self, shift_bits: int) -> NDArray[np.int64]:
        """[channels, 2]: that word, and the multiplier."""
        words = (self.bias << shift_bits) + self.shifts
        return np.column_stack([words, self.multipliers])


def wrapped(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The low 32 bits as signed numbers."""
    return ((values + 2**31) & 0xFFFFFFFF) - 2**31


def scale(multiplier: int, right_shift: int, zero_point: int, reach: int) -> Scale | None:
    """The constants of `edgeflow_dsp_rescale` for sums from -reach to reach; None if not exact."""
    if right_shift < 1 or reach >= 2**30:
        return None
    base = (2 * zero_point + 1) << (right_shift - 1)
    scaled = int(saturating_rounding_doubling_high_mul(reach, multiplier))
    if scaled + 1 + 2 * abs(base) >= 2**31:
        return None
    return Scale(multiplier, base, right_shift)


def channels(graph: Graph, node: Node) -> Channels | None:
    """The channels of a convolution; None where one of them has no exact short form."""
    found = settled_channels(graph, node)
    zero_point = conv_requantization(graph, node).output_zero_point
    reach = np.maximum(np.abs(found.low), np.abs(found.high))
    scales = [
        scale(int(m), int(s), zero_point, int(r))
        for m, s, r in zip(found.multipliers, found.shifts, reach, strict=True)
    ]
    return found if all(scales) else None


def finer_channels(graph: Graph, node: Node) -> Channels | None:
    """The channels of a depthwise layer of which some have scales from 1/2 on.

    Those have negative multipliers and shifts of `edgeflow_dsp_plane_finer`.
    """
    found = settled_channels(graph, node)
    zero_point = conv_requantization(graph, node).output_zero_point
    reach = np.maximum(np.abs(found.low), np.abs(found.high))
    finer = found.shifts < 1
    shifts = found.shifts + FINER
    if np.any(finer & ((shifts < 1) | (reach >= 2**22))):
        return None
    others = [
        scale(int(m), int(s), zero_point, int(r))
        for m, s, r in zip(
            found.multipliers[~finer], found.shifts[~finer], reach[~finer], strict=True
        )
    ]
    if not all(others):
        return None
    return replace(
        found,
        multipliers=np.where(finer, -found.multipliers, found.multipliers),
        shifts=np.where(finer, shifts, found.shifts),
    )


def narrow_channels(graph: Graph, node: Node, sum_shift: int) -> Channels | None:
    """The same for `edgeflow_dsp_narrow_rescale`: shifts are its `scaling`."""
    found = settled_channels(graph, node)
    reach = np.maximum(np.abs(found.low), np.abs(found.high))
    shifts = found.shifts + sum_shift
    if np.any(shifts < 1) or np.any(shifts > _LARGEST_NARROW_SHIFT):
        return None
    if np.any(reach << sum_shift >= 2**30):
        return None
    return replace(found, shifts=shifts + np.where(found.shifts >= 1, _TWO_ROUNDINGS, 0))


def settled_channels(graph: Graph, node: Node) -> Channels:
    """The channels with numbers that suit every kernel.

    A channel whose output cannot change, as with the tiny scales of dead filters, gets weights of
    zero and small numbers that give the same output.
    """
    given = _channels(graph, node)
    zero_point = conv_requantization(graph, node).output_zero_point
    outputs = [_scaled(bound, given) for bound in (given.low, given.high)]
    saturated = [np.clip(value + zero_point, -128, 127) - zero_point for value in outputs]
    constant = saturated[0] == saturated[1]
    # t = bias / 2 and output = t / 2, both without rounding
    bias = np.where(constant, 4 * saturated[0], given.bias)
    return Channels(
        rows=np.where(constant[:, None], np.int8(0), given.rows),
        bias=bias,
        low=np.where(constant, bias, given.low),
        high=np.where(constant, bias, given.high),
        multipliers=np.where(constant, _CONSTANT_MULTIPLIER, given.multipliers),
        shifts=np.where(constant, _CONSTANT_SHIFT, given.shifts),
    )


def _scaled(sums: NDArray[np.int64], given: Channels) -> NDArray[np.int64]:
    """One sum of each channel, scaled but without the zero point."""
    pairs = zip(sums, given.multipliers, given.shifts, strict=True)
    scaled = [multiply_by_quantized_multiplier(int(a), int(m), -int(s)) for a, m, s in pairs]
    return np.array([int(value) for value in scaled], np.int64)


def _channels(graph: Graph, node: Node) -> Channels:
    """The channels as the graph has them."""
    values = conv_requantization(graph, node)
    weights, bias = (graph.tensors[name].data for name in node.inputs[1:3])
    assert weights is not None
    assert bias is not None
    axis = 3 if node.kind is OpKind.DEPTHWISE_CONV_2D else 0
    rows = np.moveaxis(weights.astype(np.int8), axis, 0).reshape(weights.shape[axis], -1)
    positive = np.maximum(rows, 0).sum(axis=1, dtype=np.int64)
    negative = np.minimum(rows, 0).sum(axis=1, dtype=np.int64)
    # A tap on padding counts as the zero point, which lies between the ends of the range.
    least, most = -128 - values.input_zero_point, 127 - values.input_zero_point
    offset = bias.astype(np.int64)
    return Channels(
        rows=rows,
        bias=offset - values.input_zero_point * (positive + negative),
        low=offset + positive * least + negative * most,
        high=offset + positive * most + negative * least,
        multipliers=np.array(values.multipliers, np.int64),
        shifts=-np.array(values.shifts, np.int64),
    )
