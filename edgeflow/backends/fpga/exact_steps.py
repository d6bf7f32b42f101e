"""Requantization by one multiplication, proved equal for every sum that can occur.

What the graph does to a sum, whatever its roundings, is a step function to at most 256 values. So
is

    w = multiplier * sum + offset;  v = (w, less 2**turn where w < 2**(shift - 1)) >> shift

and two step functions are equal where their steps begin at the same sums. `turn` exists because the
reference rounds half away from zero, so that steps below zero lie one unit aside; where it is 0
nothing is taken off. One shift serves all channels of a network, so that hardware has no shifter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeflow.graph.fixed_point import Int64Array

# Steps about the ideal multiplier, ever wider: exact ones are neighbours of one another.
_DISTANCES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_CANDIDATES = (0, *(sign * distance for distance in _DISTANCES for sign in (1, -1)))
LEAST_SHIFT, MOST_SHIFT = 8, 34
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
    ideal = np.rint(steps.scales * 2.0**shift).astype(np.int64)
    found = Scaling(*(np.full(len(ideal), -1, np.int64) for _ in range(3)))
    for candidate in _CANDIDATES:
        multipliers = np.clip(ideal + candidate, 0, 2**bits - 1)
        offsets, turns, exact = _offsets(steps, multipliers, shift)
        new = exact & (found.multipliers < 0)
        found.multipliers[new] = multipliers[new]
        found.offsets[new] = offsets[new]
        found.turns[new] = turns[new]
        if np.all(found.multipliers >= 0):
            return found
    return None


def apply(found: Scaling, sums: Int64Array, shift: int) -> Int64Array:
    """What the hardware computes of sums [n, channels], before the zero point and the clamp."""
    wide = found.multipliers * sums + found.offsets
    taken = np.where(found.turns > 0, np.int64(1) << found.turns, 0)
    return (wide - np.where(wide < (1 << (shift - 1)), taken, 0)) >> shift


def _offsets(
    steps: Steps, multipliers: Int64Array, shift: int
) -> tuple[Int64Array, Int64Array, NDArray[np.bool_]]:
    """Offsets and turns, and where they are exact.

    multiplier * begin + offset >= output * 2**shift holds the step, and the sum before it must stay
    below; both above and below zero, where offsets may differ by 2**turn.
    """
    goal = steps.outputs[:, None] << shift
    least = goal - multipliers * steps.begins
    most = goal - 1 - multipliers * steps.before
    above = np.broadcast_to(steps.outputs[:, None] > 0, least.shape)
    reached = steps.begins <= steps.high
    left = steps.before >= steps.low
    far = np.int64(2**62)
    bounds = {}
    for name, side in (("above", above), ("below", ~above)):
        bounds[name] = (
            np.where(side & reached, least, -far).max(axis=0, initial=-far),
            np.where(side & left, most, far).min(axis=0, initial=far),
        )
    (low, high), (low_below, high_below) = bounds["above"], bounds["below"]
    both_low, both_high = np.maximum(low, low_below), np.minimum(high, high_below)
    plain = both_low <= both_high
    offsets = np.where(plain, _middle(both_low, both_high), 0)
    turns = np.zeros(len(multipliers), np.int64)
    for turn in range(shift, 0, -1):
        least_both = np.maximum(low, low_below + (1 << turn))
        most_both = np.minimum(high, high_below + (1 << turn))
        new = ~plain & (turns == 0) & (least_both <= most_both)
        offsets = np.where(new, _middle(least_both, most_both), offsets)
        turns = np.where(new, turn, turns)
    found = plain | (turns > 0)
    candidate = Scaling(multipliers, offsets, turns)
    return offsets, turns, found & _holds(steps, candidate, shift)


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
