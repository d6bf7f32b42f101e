"""Requantization with as few additions as are exact.

In logic of its own a channel's multiplier costs an adder for every signed digit but one. Of the
multipliers that `exact_steps` proves equal to the graph's requantization, the one with fewest
digits is taken; where scales are powers of two, that is a mere shift.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgeflow.backends.fpga.exact_steps import (
    MOST_BITS,
    Scaling,
    Steps,
    centers,
    offsets_of,
    scaling,
)
from edgeflow.backends.fpga.spatial.products import signed_digits
from edgeflow.errors import UnsupportedOperatorError
from edgeflow.graph.fixed_point import Int64Array

_SHIFT, _WORD = 34, 60
_MOST_DIGITS = 9


@dataclass(frozen=True)
class Requantization:
    """v = (w, less 2**turn where w < 2**(shift - 1)) >> shift, w = multiplier * sum + offset.

    Nothing is taken off where `turn` is None.
    """

    multiplier: int
    offset: int
    shift: int
    turn: int | None


def simplest(steps: Steps, channel: int) -> Requantization:
    """Of one channel. Raises UnsupportedOperatorError where no multiplier is exact."""
    alone = _alone(steps, channel, 1)
    sums = int(max(abs(alone.low[0]), abs(alone.high[0]), 1))
    scale = float(alone.scales[0])
    room = _WORD - sums.bit_length() - math.ceil(math.log2(max(scale, 2.0**-_SHIFT)))
    shift = max(1, min(_SHIFT, room))
    for candidates in _by_digits(_centers(alone, shift), _MOST_DIGITS):
        found = _exact(steps, channel, candidates, shift)
        if found is not None:
            return found
    any_ = scaling(alone, shift, MOST_BITS)
    if any_ is None:
        raise UnsupportedOperatorError(
            "No multiplier requantizes a channel exactly.",
            hint="See docs/fpga.md: its scale is too far from those that fit.",
        )
    return _reduced(any_, 0, shift)


def _alone(steps: Steps, channel: int, copies: int) -> Steps:
    def column(values: Int64Array) -> Int64Array:
        return np.repeat(values[..., channel : channel + 1], copies, axis=-1)

    return Steps(
        steps.outputs,
        column(steps.begins),
        column(steps.before),
        column(steps.low),
        column(steps.high),
        np.repeat(steps.scales[channel], copies),
    )


def _centers(alone: Steps, shift: int) -> list[int]:
    return sorted({int(each[0]) for each in centers(alone, shift, MOST_BITS)})


def _by_digits(goals: list[int], most: int) -> list[Int64Array]:
    """Multipliers of 0, 1, 2, ... signed digits near the goals, those of each number together."""
    found = [np.zeros(1, np.int64)]
    ends = {(goal, 0) for goal in goals}
    for _ in range(most):
        longer = set()
        for goal, number in ends:
            rest = goal - number
            if rest == 0:
                continue
            sign = 1 if rest > 0 else -1
            power = abs(rest).bit_length() - 1
            longer |= {(goal, number + sign * (1 << power)), (goal, number + sign * (2 << power))}
        ends = longer
        numbers = sorted({number for _, number in ends if number > 0})
        if numbers:
            found.append(np.array(numbers, np.int64))
    return found


def _exact(steps: Steps, channel: int, candidates: Int64Array, shift: int) -> Requantization | None:
    """The cheapest of the candidates that are exact: without a turn where there is one."""
    copies = _alone(steps, channel, len(candidates))
    offsets, turns, exact = offsets_of(copies, candidates, shift)
    found = Scaling(candidates, offsets, turns)
    where = np.flatnonzero(exact)
    if len(where) == 0:
        return None
    return min(
        (_reduced(found, int(n), shift) for n in where),
        key=lambda each: (each.turn is not None, each.shift, each.multiplier),
    )


def _reduced(found: Scaling, channel: int, shift: int) -> Requantization:
    """With the zeros at the multiplier's end taken off: the offset's last bits say nothing then."""
    multiplier, offset = int(found.multipliers[channel]), int(found.offsets[channel])
    turn = int(found.turns[channel]) or None
    zeros = min((multiplier & -multiplier).bit_length() - 1 if multiplier else shift, shift)
    # Below zero begins at 2**(shift - 1), which must stay a whole number.
    zeros = min(zeros, turn, shift - 1) if turn is not None else zeros
    taken = None if turn is None else turn - zeros
    return Requantization(multiplier >> zeros, offset >> zeros, shift - zeros, taken)


def digits_of(found: Requantization) -> int:
    """Additions that a requantization takes, and one."""
    return len(signed_digits(found.multiplier)) + (found.turn is not None)
