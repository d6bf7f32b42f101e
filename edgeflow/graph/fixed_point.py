"""Fixed-point arithmetic of gemmlowp and TensorFlow Lite, vectorized over numpy arrays.

Values are int32 numbers held in int64 arrays, so that nothing here overflows unseen. Requantization
rounds twice, as LiteRT is built: the high multiplication rounds, then the right shift rounds. (Its
sources offer a single rounding as an option; the two differ in the last bit.)
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgeflow.errors import GraphError

Int64Array = NDArray[np.int64]

INT32_MIN = -(2**31)
INT32_MAX = 2**31 - 1
MIN_SHIFT = -31
MAX_SHIFT = 30


def wrap_int32(values: ArrayLike) -> Int64Array:
    """Keep the low 32 bits as a signed number, as C does on every target here."""
    wide = np.asarray(values, dtype=np.int64)
    return ((wide + 2**31) & 0xFFFF_FFFF) - 2**31


def saturating_rounding_doubling_high_mul(a: ArrayLike, b: ArrayLike) -> Int64Array:
    """High 32 bits of 2*a*b, rounded to nearest, ties upwards; INT32_MIN squared saturates."""
    left = np.asarray(a, dtype=np.int64)
    right = np.asarray(b, dtype=np.int64)
    # gemmlowp nudges by the sign and divides with truncation, which comes to the same.
    high = (left * right + 2**30) >> 31
    overflow = (left == INT32_MIN) & (right == INT32_MIN)
    return np.where(overflow, INT32_MAX, high)


def rounding_divide_by_pot(x: ArrayLike, exponent: ArrayLike) -> Int64Array:
    """x / 2**exponent, rounded half away from zero; exponents 0 to 31."""
    value = np.asarray(x, dtype=np.int64)
    bits = np.asarray(exponent, dtype=np.int64)
    mask = (np.int64(1) << bits) - 1
    threshold = (mask >> 1) + (value < 0)
    return (value >> bits) + ((value & mask) > threshold)


def saturating_multiply_by_pot(x: ArrayLike, exponent: int) -> Int64Array:
    """x * 2**exponent, saturated to int32; exponent above 0."""
    value = np.asarray(x, dtype=np.int64)
    threshold = 2 ** (31 - exponent) - 1
    shifted = value << exponent
    return np.where(value > threshold, INT32_MAX, np.where(value < -threshold, INT32_MIN, shifted))


def multiply_by_quantized_multiplier(
    x: ArrayLike, multiplier: ArrayLike, shift: ArrayLike
) -> Int64Array:
    """x * multiplier * 2**(shift - 31) with the reference kernels' rounding.

    `multiplier` and `shift` broadcast against `x`, so per-channel values lie along the last axis.
    """
    shifts = np.asarray(shift, dtype=np.int64)
    left = np.maximum(shifts, 0)
    right = np.maximum(-shifts, 0)
    scaled = wrap_int32(np.asarray(x, dtype=np.int64) << left)
    return rounding_divide_by_pot(saturating_rounding_doubling_high_mul(scaled, multiplier), right)


def multiply_as_double(x: ArrayLike, multiplier: ArrayLike, right_shift: ArrayLike) -> Int64Array:
    """round(x * scale), half away from zero, as a C program computes it in double.

    `x` is int32; `multiplier` and `right_shift` come from `double_multiplier(scale)` and broadcast
    against it. A double keeps 53 bits of the product of up to 85: where what it drops lies within
    half a unit below a boundary, it steps onto the boundary, and so does this.
    """
    value = np.asarray(x, dtype=np.int64)
    bits = np.asarray(multiplier, dtype=np.int64)
    shift = np.asarray(right_shift, dtype=np.int64)
    magnitude = np.abs(value)
    low = magnitude.astype(np.uint64) * (bits & 0xFFFF_FFFF).astype(np.uint64)
    high = magnitude * (bits >> 32) + (low >> np.uint64(32)).astype(np.int64)
    # `high` has 53 bits at most, so the conversion is exact.
    length = np.frexp(high.astype(np.float64))[1].astype(np.int64)
    half_unit = np.where(length > 21, np.int64(1) << np.maximum(length - 22, 0), 0)
    low_word = (low & np.uint64(0xFFFF_FFFF)).astype(np.int64)
    high = high + ((low_word + half_unit) >> 32)
    rounded: Int64Array = (high + (np.int64(1) << (shift - 33))) >> (shift - 32)
    return np.where(value < 0, -rounded, rounded)


def double_multiplier(scale: float) -> tuple[int, int]:
    """A positive double as (multiplier, right_shift): scale = multiplier / 2**right_shift.

    The multiplier has 53 bits, the right shift is 43 to 85. Scales below 2**-33, with which no
    int32 number reaches 1/2, become (0, 85); scales from 2**9 on, with which every one but zero
    leaves the output's range, become 2**9.

    Raises:
        GraphError: not a finite positive number.
    """
    if not (math.isfinite(scale) and scale > 0.0):
        raise GraphError(
            f"a scale ratio of {scale} has no fixed-point form",
            hint="Scales must be finite and positive, and so must their ratios.",
        )
    if scale < 2.0**-33:
        return 0, 85
    fraction, exponent = math.frexp(min(scale, 2.0**9))
    return int(math.ldexp(fraction, 53)), 53 - exponent


def quantize_multiplier(real: float) -> tuple[int, int]:
    """A non-negative real number as (multiplier, shift): real = multiplier * 2**(shift - 31).

    The multiplier is 0 or in [2**30, 2**31); numbers below about 2**-32 flush to (0, 0).

    Raises:
        GraphError: not a finite non-negative number, or a shift above 30.
    """
    if not (math.isfinite(real) and real >= 0.0):
        raise GraphError(
            f"a scale ratio of {real} has no fixed-point form",
            hint="Scales must be finite and positive, and so must their ratios.",
        )
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier //= 2
        shift += 1
    if shift < MIN_SHIFT:
        return 0, 0
    if shift > MAX_SHIFT:
        raise GraphError(
            f"a scale ratio of {real:g} needs a left shift of {shift} bits (at most {MAX_SHIFT})",
            hint="The output scale is far too small for the input scales: calibrate again.",
        )
    return multiplier, shift


def exp_on_negative_values(a: ArrayLike) -> Int64Array:
    """exp(a) for a <= 0 in Q5.26; the result is in Q0.31."""
    value = np.asarray(a, dtype=np.int64)
    one_quarter = 1 << 24
    mod_quarter = (value & (one_quarter - 1)) - one_quarter
    result = _exp_between_minus_one_quarter_and_0(saturating_multiply_by_pot(mod_quarter, 5))
    remainder = mod_quarter - value
    for exponent, factor in _EXP_OF_MINUS_POWERS_OF_TWO:
        selected = (remainder & (1 << (26 + exponent))) != 0
        result = np.where(selected, saturating_rounding_doubling_high_mul(result, factor), result)
    return np.where(value == 0, INT32_MAX, result)


# (e, exp(-2**e) in Q0.31) for the bits of a Q5.26 number from 1/4 to 16.
_EXP_OF_MINUS_POWERS_OF_TWO = (
    (-2, 1672461947),
    (-1, 1302514674),
    (0, 790015084),
    (1, 290630308),
    (2, 39332535),
    (3, 720401),
    (4, 242),
)
_EXP_OF_MINUS_ONE_EIGHTH = 1895147668
_ONE_THIRD = 715827883


def _exp_between_minus_one_quarter_and_0(a: Int64Array) -> Int64Array:
    """exp(a) for a in [-1/4, 0), Q0.31: the Taylor series around -1/8 to the fourth order."""
    multiply = saturating_rounding_doubling_high_mul
    x = a + (1 << 28)
    x2 = multiply(x, x)
    x3 = multiply(x2, x)
    x4 = multiply(x2, x2)
    x4_over_4 = rounding_divide_by_pot(x4, 2)
    tail = rounding_divide_by_pot(multiply(x4_over_4 + x3, _ONE_THIRD) + x2, 1)
    return _EXP_OF_MINUS_ONE_EIGHTH + multiply(_EXP_OF_MINUS_ONE_EIGHTH, x + tail)


_48_OVER_17_Q2 = 1515870810
_MINUS_32_OVER_17_Q2 = -1010580540
_ONE_Q2 = 1 << 29


def one_over_one_plus_x(a: ArrayLike) -> Int64Array:
    """1 / (1 + a) for a in [0, 1), both in Q0.31: Newton-Raphson division, three steps."""
    multiply = saturating_rounding_doubling_high_mul
    # a and the constant are never negative, so rounding half up is rounding half away from zero.
    half_denominator = (np.asarray(a, dtype=np.int64) + INT32_MAX + 1) >> 1
    x = _48_OVER_17_Q2 + multiply(half_denominator, _MINUS_32_OVER_17_Q2)
    for _ in range(3):
        error = _ONE_Q2 - multiply(half_denominator, x)
        x = x + saturating_multiply_by_pot(multiply(x, error), 2)
    return saturating_multiply_by_pot(x, 1)


def count_leading_zeros(x: ArrayLike) -> Int64Array:
    """Leading zero bits of positive int32 numbers."""
    _, exponent = np.frexp(np.asarray(x, dtype=np.float64))
    return 32 - exponent.astype(np.int64)


def reciprocal(x: ArrayLike, integer_bits: int) -> tuple[Int64Array, Int64Array]:
    """1/x for a positive fixed-point number with `integer_bits` integer bits.

    Returns (scale in Q0.31, bits over unit): 1/x = scale * 2**(-bits over unit).
    """
    value = np.asarray(x, dtype=np.int64)
    headroom = count_leading_zeros(value)
    shifted_minus_one = (value << headroom) - 2**31
    return one_over_one_plus_x(shifted_minus_one), integer_bits - headroom
