"""ADD of int8 tensors as one linear form of both operands, compared for every pair of inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeflow.graph.fixed_point import Int64Array, multiply_by_quantized_multiplier
from edgeflow.graph.requantization import AddRequantization

_INPUTS = np.arange(-128, 128, dtype=np.int64)
_LARGEST_SHIFT = 30
# Ties away from zero need slopes a little too steep; other layers take the first that is tried.
_TILTS = (0.0, *(sign * 2.0**-bits for bits in range(24, 9, -1) for sign in (1, -1)))
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
    for tilt in _TILTS:
        first, second = (round(slope * 2**shift * (1 + tilt)) for slope in slopes)
        for by_first in (0, 1, -1):
            for by_second in (0, 1, -1):
                found = _with_base(first + by_first, second + by_second, shift, begin, end)
                if found is not None:
                    return found
    return None


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


def _with_base(
    first: int, second: int, shift: int, begin: Int64Array, end: Int64Array
) -> LinearSum | None:
    """The middle of the bases for which every pair lies between the begin and end of its output."""
    products = first * _INPUTS[:, None] + second * _INPUTS
    least, most = int((begin - products).max()), int((end - products).min())
    if least > most:
        return None
    base = (least + most) // 2
    if abs(base) + 128 * (abs(first) + abs(second)) >= 2**31:
        return None
    return LinearSum(first, second, base, shift)
