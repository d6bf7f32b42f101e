"""ADD of int8 tensors as one linear form of both operands, compared for every pair of inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeflow.graph.fixed_point import Int64Array, multiply_by_quantized_multiplier
from edgeflow.graph.requantization import AddRequantization

_INPUTS = np.arange(-128, 128, dtype=np.int64)
_LARGEST_SHIFT = 30
# Ties away from zero need slopes a little too steep.
_TILTS = (0.0, *(sign * 2.0**-bits for bits in range(24, 9, -1) for sign in (1, -1)))
# The search for multipliers: steps from a rough one to single units, in eight directions.
_STEPS = tuple(2**bits for bits in range(12, -1, -1))
_DIRECTIONS = ((1, 1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1), (1, -1), (-1, 1))
_MOST_TRIALS = 400
_FREE = 2**40


@dataclass(frozen=True)
class LinearSum:
    """output = (first * first_multiplier + second * second_multiplier + base) >> shift, clamped."""

    first_multiplier: int
    second_multiplier: int
    base: int
    shift: int


def linear_sum(values: AddRequantization) -> LinearSum | None:
    """The form that equals the operator for all 65,536 pairs of inputs; None if none was found."""
    outputs = _outputs(values)
    slopes = _slopes(values)
    reach = 128 * sum(slopes) + abs(values.output_zero_point) + 2
    reach += abs(slopes[0] * values.input1_zero_point) + abs(slopes[1] * values.input2_zero_point)
    shift = min(int(np.floor(31 - np.log2(reach))), _LARGEST_SHIFT)
    if shift < 1:
        return None
    begin = np.where(outputs > values.range.minimum, outputs << shift, -_FREE)
    end = np.where(outputs < values.range.maximum, (outputs + 1) << shift, _FREE) - 1
    first, second = (slope * 2**shift for slope in slopes)
    starts = [(round(first * (1 + tilt)), round(second * (1 + tilt))) for tilt in _TILTS]

    def missing(start: tuple[int, int]) -> int:
        return _room(start[0], start[1], begin, end)[0]

    found = next((start for start in starts if missing(start) <= 0), None)
    best = found or min(starts, key=missing)
    return _searched(best[0], best[1], shift, begin, end)


def _searched(
    first: int, second: int, shift: int, begin: Int64Array, end: Int64Array
) -> LinearSum | None:
    """Multipliers near the given ones that leave room for a base.

    What is missing to such room is a convex function of the multipliers, so that going downhill
    finds its least value or comes near.
    """
    missing, base = _room(first, second, begin, end)
    trials = 0
    for step in _STEPS:
        went_on = True
        while went_on and missing > 0 and trials < _MOST_TRIALS:
            went_on = False
            for by_first, by_second in _DIRECTIONS:
                tried = first + step * by_first, second + step * by_second
                trial = _room(*tried, begin, end)
                trials += 1
                if trial[0] < missing:
                    (first, second), (missing, base), went_on = tried, trial, True
                    break
    return LinearSum(first, second, base, shift) if missing <= 0 else None


def _room(first: int, second: int, begin: Int64Array, end: Int64Array) -> tuple[int, int]:
    """How far the bases that the pairs ask for lie apart, 0 or less if one serves all; the middle.

    Nothing may overflow int32, whatever the inputs.
    """
    products = first * _INPUTS[:, None] + second * _INPUTS
    largest = 2**31 - 1 - 128 * (abs(first) + abs(second))
    least = max(int((begin - products).max()), -largest)
    most = min(int((end - products).min()), largest)
    return least - most, (least + most) // 2


def _outputs(values: AddRequantization) -> Int64Array:
    """The operator's results [first input, second input]."""
    first = multiply_by_quantized_multiplier(
        (_INPUTS - values.input1_zero_point) << values.left_shift,
        values.input1_multiplier,
        values.input1_shift,
    )
    second = multiply_by_quantized_multiplier(
        (_INPUTS - values.input2_zero_point) << values.left_shift,
        values.input2_multiplier,
        values.input2_shift,
    )
    total = multiply_by_quantized_multiplier(
        first[:, None] + second, values.output_multiplier, values.output_shift
    )
    outputs = total + values.output_zero_point
    return np.clip(outputs, values.range.minimum, values.range.maximum)


def _slopes(values: AddRequantization) -> tuple[float, float]:
    """Outputs per unit of either input."""
    output = np.ldexp(values.output_multiplier, values.output_shift - 31 + values.left_shift)
    first = np.ldexp(values.input1_multiplier, values.input1_shift - 31)
    second = np.ldexp(values.input2_multiplier, values.input2_shift - 31)
    return float(first * output), float(second * output)
