"""Requantization by one multiplication, proved equal for every sum that can occur.

What the graph does to a sum, whatever its roundings, is a step function to at most 256 values. So
is

    w = multiplier * sum + offset;  v = (w, less 2**turn where w < 2**(shift - 1)) >> shift

and two step functions are equal where their steps begin at the same sums. `turn` exists because the
reference rounds half away from zero, so that steps below zero lie one unit aside; where it is 0
nothing is taken off. One shift serves all channels of a network, so that hardware has no shifter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeflow.graph.fixed_point import Int64Array

# How far from the ideal multiplier those are looked for that leave most room, and how far from
# either exact ones: they are neighbours of one another.
_REACH = 1 << 14
_DISTANCES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_CANDIDATES = (0, *(sign * distance for distance in _DISTANCES for sign in (1, -1)))
_FAR = 2**62
LEAST_SHIFT, USUAL_SHIFT, MOST_SHIFT = 8, 34, 40
MOST_BITS = 34


@dataclass(frozen=True, eq=False)
class Steps:
    """Steps of channels: `outputs`[k] and more hold from sum `begins`[k, channel] on.

    Below it they hold up to no sum but `before`; between the two no sum occurs. Sums run from `low`
    to `high`, both included; a step that begins at `low` holds everywhere, and one that begins at
    high + 1 nowhere. `scales` are about outputs per sum.
    """

    outputs: Int64Array
    begins: Int64Array
    before: Int64Array
    low: Int64Array
    high: Int64Array
    scales: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scaling:
    """The constants of all channels, int64 [channels]; turns are 0 where nothing is taken off."""

    multipliers: Int64Array
    offsets: Int64Array
    turns: Int64Array


def steps_of(
    function: Callable[[Int64Array], Int64Array],
    low: Int64Array,
    high: Int64Array,
    scales: NDArray[np.float64],
    values: range,
) -> Steps:
    """The steps of a monotone function of sums [n, channels] to `values` (zero point taken off)."""
    wanted = np.arange(values.start + 1, values.stop, dtype=np.int64)[:, None]
    least = np.broadcast_to(low, (len(wanted), len(low))).copy()
    most = np.broadcast_to(high + 1, least.shape).copy()
    while np.any(least < most):
        middle = (least + most) >> 1
        # Where the search is over, `middle` may lie above `high`: its answer is not used.
        reached = function(np.minimum(middle, high)) >= wanted
        open_ = least < most
        most = np.where(open_ & reached, middle, most)
        least = np.where(open_ & ~reached, middle + 1, least)
    return Steps(wanted[:, 0], least, least - 1, low, high, scales)


def scaling(steps: Steps, shift: int, bits: int) -> Scaling | None:
    """The constants for one shift and multipliers of so many bits; None where some have none."""
    return _scaling(steps, shift, bits, offsets_of)


def plain_scaling(steps: Steps, shift: int, bits: int) -> Scaling | None:
    """The constants of which none has a turn; None where some have none."""
    return _scaling(steps, shift, bits, _plain_offsets)


_Offsets = Callable[[Steps, Int64Array, int], tuple[Int64Array, Int64Array, NDArray[np.bool_]]]


def _scaling(steps: Steps, shift: int, bits: int, offsets_for: _Offsets) -> Scaling | None:
    found = Scaling(*(np.full(len(steps.scales), -1, np.int64) for _ in range(3)))
    for center in centers(steps, shift, bits):
        for candidate in _CANDIDATES:
            multipliers = np.clip(center + candidate, 0, 2**bits - 1)
            offsets, turns, exact = offsets_for(steps, multipliers, shift)
            new = exact & (found.multipliers < 0)
            found.multipliers[new] = multipliers[new]
            found.offsets[new] = offsets[new]
            found.turns[new] = turns[new]
            if np.all(found.multipliers >= 0):
                return found
    return None


def centers(steps: Steps, shift: int, bits: int) -> Iterator[Int64Array]:
    """Where exact multipliers may lie: about the ideal, and where offsets have most room."""
    ideal = np.rint(steps.scales * 2.0**shift).astype(np.int64)
    low, high = np.maximum(ideal - _REACH, 0), np.minimum(ideal + _REACH, 2**bits - 1)
    low = np.minimum(low, high)
    yield ideal

    def split(multipliers: Int64Array) -> Int64Array:
        return _split_room(_bounds(steps, multipliers, shift))

    def plain(multipliers: Int64Array) -> Int64Array:
        return _plain_room(_bounds(steps, multipliers, shift))

    for room in (split, plain):
        yield _roomiest(room, low, high)


def _roomiest(
    room: Callable[[Int64Array], Int64Array], low: Int64Array, high: Int64Array
) -> Int64Array:
    """The multipliers that leave offsets most room, a concave function of them."""
    low, high = low.copy(), high.copy()
    while np.any(high - low > 2):
        third = (high - low) // 3
        left, right = low + third, high - third
        rises = room(left) < room(right)
        low, high = np.where(rises, left, low), np.where(rises, high, right)
    best = low
    for step in (1, 2):
        other = np.minimum(low + step, high)
        best = np.where(room(other) > room(best), other, best)
    return best


def apply(found: Scaling, sums: Int64Array, shift: int) -> Int64Array:
    """What the hardware computes of sums [n, channels], before the zero point and the clamp."""
    wide = found.multipliers * sums + found.offsets
    taken = np.where(found.turns > 0, np.int64(1) << found.turns, 0)
    return (wide - np.where(wide < (1 << (shift - 1)), taken, 0)) >> shift


@dataclass(frozen=True, eq=False)
class _Bounds:
    """Least and largest offsets that the steps above zero allow, and those at zero and below."""

    low: Int64Array
    high: Int64Array
    low_below: Int64Array
    high_below: Int64Array


def _bounds(steps: Steps, multipliers: Int64Array, shift: int) -> _Bounds:
    """multiplier * begin + offset >= output * 2**shift holds a step, and stays below before it."""
    goal = steps.outputs[:, None] << shift
    least = goal - multipliers * steps.begins
    most = goal - 1 - multipliers * steps.before
    above = np.broadcast_to(steps.outputs[:, None] > 0, least.shape)
    reached = steps.begins <= steps.high
    left = steps.before >= steps.low
    found = [
        (
            np.where(side & reached, least, -_FAR).max(axis=0, initial=-_FAR),
            np.where(side & left, most, _FAR).min(axis=0, initial=_FAR),
        )
        for side in (above, ~above)
    ]
    return _Bounds(*found[0], *found[1])


def _plain_room(bounds: _Bounds) -> Int64Array:
    """Of one offset for all steps; below zero where there is none."""
    high = np.minimum(bounds.high, bounds.high_below)
    return high // 2 - np.maximum(bounds.low, bounds.low_below) // 2


def _split_room(bounds: _Bounds) -> Int64Array:
    """Of an offset for each side."""
    above = bounds.high // 2 - bounds.low // 2
    return np.minimum(above, bounds.high_below // 2 - bounds.low_below // 2)


def offsets_of(
    steps: Steps, multipliers: Int64Array, shift: int
) -> tuple[Int64Array, Int64Array, NDArray[np.bool_]]:
    """Offsets and turns, and where they are exact: offsets of the two sides differ by 2**turn."""
    bounds = _bounds(steps, multipliers, shift)
    offsets, plain = _one_offset(bounds)
    turns = np.zeros(len(multipliers), np.int64)
    for turn in range(shift, 0, -1):
        least = np.maximum(bounds.low, bounds.low_below + (1 << turn))
        most = np.minimum(bounds.high, bounds.high_below + (1 << turn))
        new = ~plain & (turns == 0) & (least <= most)
        offsets = np.where(new, _middle(least, most), offsets)
        turns = np.where(new, turn, turns)
    candidate = Scaling(multipliers, offsets, turns)
    found = plain | (turns > 0)
    return offsets, turns, found & _holds(steps, candidate, shift)


def _plain_offsets(
    steps: Steps, multipliers: Int64Array, shift: int
) -> tuple[Int64Array, Int64Array, NDArray[np.bool_]]:
    """As `offsets_of`, where one offset serves both sides."""
    offsets, plain = _one_offset(_bounds(steps, multipliers, shift))
    turns = np.zeros(len(multipliers), np.int64)
    return offsets, turns, plain & _holds(steps, Scaling(multipliers, offsets, turns), shift)


def _one_offset(bounds: _Bounds) -> tuple[Int64Array, NDArray[np.bool_]]:
    """The offset amid those that all steps allow, 0 where there is none."""
    low = np.maximum(bounds.low, bounds.low_below)
    high = np.minimum(bounds.high, bounds.high_below)
    return np.where(low <= high, _middle(low, high), 0), low <= high


def _middle(low: Int64Array, high: Int64Array) -> Int64Array:
    """Between two bounds, of which one may be far away."""
    far = 2**61
    near_low, near_high = low > -far, high < far
    one = np.where(near_low, low, np.where(near_high, high, 0))
    return np.where(near_low & near_high, low + (high - low) // 2, one)


def _holds(steps: Steps, candidate: Scaling, shift: int) -> NDArray[np.bool_]:
    """Whether every step begins where it should: checked at its first sum and at the one before."""
    at = apply(candidate, np.clip(steps.begins, steps.low, steps.high), shift)
    before = apply(candidate, np.clip(steps.before, steps.low, steps.high), shift)
    outputs = steps.outputs[:, None]
    starts = (at >= outputs) | (steps.begins > steps.high)
    stays = (before < outputs) | (steps.before < steps.low)
    result: NDArray[np.bool_] = np.all(starts & stays, axis=0)
    return result
