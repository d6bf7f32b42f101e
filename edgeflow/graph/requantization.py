"""The integer constants of the operators as values; `requantize` derives them from scales.

In the formulas m is `fixed_point.multiply_by_quantized_multiplier`; clamp is to the output range.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OutputRange:
    """Bounds that an output is clamped to: int8 narrowed by the activation."""

    minimum: int
    maximum: int


@dataclass(frozen=True)
class ChannelRequantization:
    """Accumulator to output, one (multiplier, shift) per output channel.

    out = clamp(m(acc, multipliers[c], shifts[c]) + output_zero_point) with
    acc = bias[c] + sum(w * (x - input_zero_point)) and m = multiply_by_quantized_multiplier;
    a positive shift is a left shift.
    """

    input_zero_point: int
    multipliers: tuple[int, ...]
    shifts: tuple[int, ...]
    output_zero_point: int
    range: OutputRange


@dataclass(frozen=True)
class DenseRequantization:
    """FULLY_CONNECTED's accumulator to output, one (multiplier, right_shift) per output channel.

    out = clamp(d(acc, multipliers[c], right_shifts[c]) + output_zero_point) with acc as above and
    d = `fixed_point.multiply_as_double`, which is round(acc * scale) in double, by integers:

        low = |acc| * (m mod 2**32);  high = |acc| * (m >> 32) + (low >> 32)
        n = number of bits of high;   if n > 21: high += (low mod 2**32 + 2**(n - 22)) >> 32
        d = sign(acc) * ((high + 2**(r - 33)) >> (r - 32))

    The second line adds 1 at most, so it matters only where high + 2**(r - 33) is one below a
    multiple of 2**(r - 32). Multipliers have 53 bits or are 0, right shifts are 43 to 85; every
    number above fits uint64.
    """

    input_zero_point: int
    multipliers: tuple[int, ...]
    right_shifts: tuple[int, ...]
    output_zero_point: int
    range: OutputRange


@dataclass(frozen=True)
class AddRequantization:
    """Both inputs brought to a common scale, summed, brought to the output's; all shifts are <= 0.

    value_i = m((x_i - input_i_zero_point) << left_shift, input_i_multiplier, input_i_shift)
    out = clamp(m(value_1 + value_2, output_multiplier, output_shift) + output_zero_point)
    """

    left_shift: int
    input1_zero_point: int
    input1_multiplier: int
    input1_shift: int
    input2_zero_point: int
    input2_multiplier: int
    input2_shift: int
    output_multiplier: int
    output_shift: int
    output_zero_point: int
    range: OutputRange


@dataclass(frozen=True)
class MulRequantization:
    """out = clamp(m((x1 - input1_zero_point) * (x2 - input2_zero_point)) + output_zero_point)."""

    input1_zero_point: int
    input2_zero_point: int
    multiplier: int
    shift: int
    output_zero_point: int
    range: OutputRange


@dataclass(frozen=True)
class MeanRequantization:
    """out = clamp(m(sum(x) - count * input_zero_point) + output_zero_point).

    1 / count is part of the multiplier.
    """

    input_zero_point: int
    count: int
    multiplier: int
    shift: int
    output_zero_point: int
    range: OutputRange


@dataclass(frozen=True)
class Rescaling:
    """RELU, RELU6 and QUANTIZE: out = clamp(m(x - input_zero_point) + output_zero_point)."""

    input_zero_point: int
    multiplier: int
    shift: int
    output_zero_point: int
    range: OutputRange


@dataclass(frozen=True)
class SoftmaxScaling:
    """Differences to the row's maximum below `difference_minimum` count as minus infinity.

    The others become Q5.26: the doubling high product of difference << left_shift and multiplier.
    """

    multiplier: int
    left_shift: int
    difference_minimum: int


@dataclass(frozen=True)
class LookupTable:
    """LOGISTIC: the output for each input from -128 (index 0) to 127 (index 255)."""

    outputs: tuple[int, ...]


Requantization = (
    ChannelRequantization
    | DenseRequantization
    | AddRequantization
    | MulRequantization
    | MeanRequantization
    | Rescaling
    | OutputRange
    | SoftmaxScaling
    | LookupTable
)
