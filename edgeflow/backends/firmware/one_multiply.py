"""Dense layers requantized by one high multiplication, proved equal for every sum that can occur.

The graph scales the sums of FULLY_CONNECTED in double and rounds once: a step function of at most
256 steps. So is

    g(sum) = (base + ((2**sum_shift * sum * multiplier) >> 32)) >> shift

and two step functions are equal where their steps begin at the same sums. For a given shift each
step is a pair of linear inequalities in the multiplier, so that the exact multipliers form an
interval, which is computed here without a search.

Sums of narrow weights are small and their scales large; a sum shift makes room for them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeflow.graph.fixed_point import Int64Array, multiply_as_double, wrap_int32
from edgeflow.graph.ir import Graph, Node
from edgeflow.graph.requantization import DenseRequantization, OutputRange
from edgeflow.graph.requantize import fully_connected_requantization

# Bounds keep every product below in int64: 383 * 2**21 * 2**32 < 2**62.
_LARGEST_SHIFT = 21
_SHIFTS_TRIED = 4
_LARGEST_MULTIPLIER = 2**31 - 1
# Sums of outputs that cannot change stay small, so that kernels may put two sums in one word.
_LARGEST_CONSTANT_SUM = 2**22
_NO_MULTIPLIER = 2**62


@dataclass(frozen=True, eq=False)
class DenseOutputs:
    """A layer's outputs: int8 weights [outputs, inputs] and how their sums become int8.

    `bias` has the input zero point folded in; `low` and `high` bound the sums, bias included, over
    all inputs. The output is saturate_int8((base + ((2**sum_shift * sum * multiplier) >> 32)) >>
    shift), clamped to `range` where that is narrower than int8. Multipliers are 0 to 2**31 - 1, the
    shift is 1 or more, and nothing overflows int32 before the saturation.
    """

    rows: NDArray[np.int8]
    bias: Int64Array
    low: Int64Array
    high: Int64Array
    multipliers: Int64Array
    shift: int
    base: int
    range: OutputRange

    @property
    def folded_bias(self) -> Int64Array:
        """The bias modulo 2**32, as int32."""
        return wrap_int32(self.bias)

    @property
    def share_multiplier(self) -> bool:
        """Whether all multipliers are one number."""
        return bool(np.all(self.multipliers == self.multipliers[0]))


@dataclass(frozen=True, eq=False)
class _Given:
    """The outputs as the graph has them."""

    rows: NDArray[np.int8]
    bias: Int64Array
    low: Int64Array
    high: Int64Array
    values: DenseRequantization

    @property
    def scales(self) -> NDArray[np.float64]:
        factors = np.array(self.values.multipliers, np.float64)
        scales = np.ldexp(factors, -np.array(self.values.right_shifts))
        # A scale of zero gives an output that cannot change; any other serves for its estimate.
        return np.where(scales > 0, scales, 1.0)

    def scaled(self, sums: Int64Array) -> Int64Array:
        """The graph's int8 of sums [outputs, n]."""
        factors = np.array(self.values.multipliers, np.int64)[:, None]
        right_shifts = np.array(self.values.right_shifts, np.int64)[:, None]
        scaled = multiply_as_double(sums, factors, right_shifts) + self.values.output_zero_point
        return np.clip(scaled, self.values.range.minimum, self.values.range.maximum)


def dense_outputs(graph: Graph, node: Node, sum_shift: int = 0) -> DenseOutputs | None:
    """The outputs of a FULLY_CONNECTED; None if no such form of it is exact.

    An output that cannot change, as that of a dead filter, gets weights of zero and a bias that
    gives the same value.
    """
    given = _given(graph, node)
    ends = [given.scaled(sums[:, None])[:, 0] for sums in (given.low, given.high)]
    changing = ends[0] != ends[1]
    zero_point = given.values.output_zero_point
    excess = np.where(changing, 0, ends[0] - zero_point)
    steps = _steps(given, changing)
    for shift in _shifts(given, changing, excess, sum_shift):
        multipliers = _multipliers(steps, shift, sum_shift, changing)
        if multipliers is None:
            continue
        # The least sum whose product, rounded down, is the excess or more.
        still = -((-(excess << shift) << 32) // np.maximum(multipliers << sum_shift, 1))
        base = (zero_point << shift) + (1 << (shift - 1))
        outputs = (base + (((still << sum_shift) * multipliers) >> 32)) >> shift
        if np.any(np.abs(still) > _LARGEST_CONSTANT_SUM) or np.any(outputs != zero_point + excess):
            continue
        return DenseOutputs(
            rows=np.where(changing[:, None], given.rows, np.int8(0)),
            bias=np.where(changing, given.bias, still),
            low=np.where(changing, given.low, still),
            high=np.where(changing, given.high, still),
            multipliers=multipliers,
            shift=shift,
            base=base,
            range=given.values.range,
        )
    return None


def _given(graph: Graph, node: Node) -> _Given:
    weights, bias = (graph.tensors[name].data for name in node.inputs[1:3])
    assert weights is not None
    assert bias is not None
    values = fully_connected_requantization(graph, node)
    rows = weights.astype(np.int8)
    positive = np.maximum(rows, 0).sum(axis=1, dtype=np.int64)
    negative = np.minimum(rows, 0).sum(axis=1, dtype=np.int64)
    least, most = -128 - values.input_zero_point, 127 - values.input_zero_point
    offset = bias.astype(np.int64)
    return _Given(
        rows=rows,
        bias=offset - values.input_zero_point * (positive + negative),
        low=offset + positive * least + negative * most,
        high=offset + positive * most + negative * least,
        values=values,
    )


def _spread(values: Int64Array, where: NDArray[np.bool_], otherwise: int) -> Int64Array:
    """Values at the places that a mask names, in order."""
    result = np.full(len(where), otherwise, np.int64)
    result[where] = values
    return result


def _shifts(
    given: _Given, changing: NDArray[np.bool_], excess: Int64Array, sum_shift: int
) -> range:
    """The shifts to try, finest first: multipliers and scaled sums must fit 32 bits."""
    reach = np.maximum(np.abs(given.low), np.abs(given.high))[changing] << sum_shift
    scales = given.scales[changing] / 2**sum_shift
    finest = float(_LARGEST_SHIFT)
    if len(scales):
        finest = min(finest, np.log2(2.0**31 / scales.max()) - 32)
        finest = min(finest, np.log2(2.0**30 / (float((reach * scales).max()) + 384)))
    if excess.any():
        # As if the multiplier were 2**30; most are larger.
        finest = min(finest, np.log2(_LARGEST_CONSTANT_SUM / 4 / float(np.abs(excess).max())))
    largest = int(np.floor(finest))
    return range(largest, max(largest - _SHIFTS_TRIED, 0), -1)


@dataclass(frozen=True, eq=False)
class _Steps:
    """The least sum that gives each value, or one beyond the largest: `begin` [outputs, values].

    `excess` [values] is the value less the zero point, `low` and `high` are [outputs, 1].
    """

    excess: Int64Array
    begin: Int64Array
    low: Int64Array
    high: Int64Array


def _steps(given: _Given, changing: NDArray[np.bool_]) -> _Steps:
    """Where the steps of the outputs that can change begin, by bisection around an estimate."""
    bounds, zero_point = given.values.range, given.values.output_zero_point
    values = np.arange(bounds.minimum + 1, bounds.maximum + 1, dtype=np.int64)
    low, beyond = given.low[:, None], given.high[:, None] + 1
    estimate = np.clip((values - zero_point - 0.5) / given.scales[:, None], low, beyond)
    begin, end = (np.clip(estimate.astype(np.int64) + by, low, beyond) for by in (-4, 4))

    def reached(sums: Int64Array) -> NDArray[np.bool_]:
        return (sums == beyond) | (given.scaled(np.minimum(sums, beyond - 1)) >= values)

    begin = np.where(reached(begin), low, begin)
    end = np.where(reached(end), end, beyond)
    while np.any(begin < end):
        half = (begin + end) >> 1
        found = reached(half)
        begin, end = np.where(found, begin, np.minimum(half + 1, end)), np.where(found, half, end)
    return _Steps(values - zero_point, begin[changing], low[changing], beyond[changing] - 1)


def _multipliers(
    steps: _Steps, shift: int, sum_shift: int, changing: NDArray[np.bool_]
) -> Int64Array | None:
    """The middle of each output's interval of exact multipliers; None if one is empty.

    Where one multiplier is exact for all, as with one scale for all weights, all have that one.
    """
    # g(sum) >= value where sum * multiplier >= bound
    bound = ((steps.excess << shift) - (1 << (shift - 1))) << 32
    begin, before = steps.begin << sum_shift, (steps.begin - 1) << sum_shift
    reached = _at_least(begin, bound, steps.begin <= steps.high)
    not_reached = _below(before, bound, steps.begin > steps.low)
    lowest = np.maximum(reached[0], not_reached[0]).max(axis=1, initial=0)
    highest = np.minimum(reached[1], not_reached[1]).min(axis=1, initial=_LARGEST_MULTIPLIER)
    if np.any(lowest > highest):
        return None
    if lowest.max(initial=0) <= highest.min(initial=_LARGEST_MULTIPLIER):
        shared = (lowest.max(initial=0) + highest.min(initial=_LARGEST_MULTIPLIER)) >> 1
        return np.full(len(changing), shared, np.int64)
    return _spread((lowest + highest) >> 1, changing, _LARGEST_MULTIPLIER >> sum_shift)


def _at_least(
    sums: Int64Array, bound: Int64Array, asked: NDArray[np.bool_]
) -> tuple[Int64Array, Int64Array]:
    """Multipliers m with sum * m >= bound, as bounds; where not asked for they are free."""
    size = np.maximum(np.abs(sums), 1)
    at_zero = np.where((sums == 0) & (bound > 0), _NO_MULTIPLIER, 0)
    least = np.where(sums > 0, -(-bound // size), at_zero)
    most = np.where(sums < 0, -bound // size, _LARGEST_MULTIPLIER)
    return np.where(asked, least, 0), np.where(asked, most, _LARGEST_MULTIPLIER)


def _below(
    sums: Int64Array, bound: Int64Array, asked: NDArray[np.bool_]
) -> tuple[Int64Array, Int64Array]:
    """Multipliers m with sum * m < bound, as bounds; where not asked for they are free."""
    size = np.maximum(np.abs(sums), 1)
    at_zero = np.where((sums == 0) & (bound <= 0), _NO_MULTIPLIER, 0)
    least = np.where(sums < 0, -bound // size + 1, at_zero)
    most = np.where(sums > 0, -(-bound // size) - 1, _LARGEST_MULTIPLIER)
    return np.where(asked, least, 0), np.where(asked, most, _LARGEST_MULTIPLIER)
