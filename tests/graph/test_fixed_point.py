from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgeflow.errors import GraphError
from edgeflow.graph import fixed_point

INT32 = st.integers(-(2**31), 2**31 - 1)
MULTIPLIERS = st.one_of(st.integers(2**30, 2**31 - 1), st.sampled_from([0, 2**30, 2**31 - 1]))


def test_high_multiplication_truncates_after_the_nudge_as_gemmlowp_does() -> None:
    def gemmlowp(a: int, b: int) -> int:
        if a == b == -(2**31):
            return 2**31 - 1
        nudged = a * b + (2**30 if a * b >= 0 else 1 - 2**30)
        return int(math.copysign(abs(nudged) // 2**31, nudged))

    rng = np.random.default_rng(7)
    edges = [-(2**31), -(2**31) + 1, -(2**30), -3, -1, 0, 1, 2, 2**30, 2**31 - 1]
    randoms = [int(v) for v in rng.integers(-(2**31), 2**31, 40)]
    for a in edges + randoms:
        for b in edges + randoms:
            actual = int(fixed_point.saturating_rounding_doubling_high_mul(a, b))
            assert actual == gemmlowp(a, b), (a, b)


@settings(deadline=None)
@given(INT32, st.integers(0, 31))
@example(-6, 2)
@example(6, 2)
@example(-(2**31), 31)
def test_division_by_a_power_of_two_rounds_half_away_from_zero(x: int, exponent: int) -> None:
    exact = Fraction(abs(x), 2**exponent)
    expected = math.floor(exact + Fraction(1, 2))
    assert int(fixed_point.rounding_divide_by_pot(x, exponent)) == (
        -expected if x < 0 else expected
    )


@settings(deadline=None)
@given(st.integers(-(2**20), 2**20), MULTIPLIERS, st.integers(-31, 10))
def test_requantization_is_within_one_of_the_exact_product(
    x: int, multiplier: int, shift: int
) -> None:
    exact = Fraction(x * multiplier) * Fraction(2) ** (shift - 31)
    actual = int(fixed_point.multiply_by_quantized_multiplier(x, multiplier, shift))
    assert abs(actual - exact) <= 1


def test_requantization_rounds_twice() -> None:
    # -62 / 4 after the first rounding of -61.56: one rounding alone would give -15.
    assert int(fixed_point.multiply_by_quantized_multiplier(-90, 1468965318, -2)) == -16


def test_left_shift_keeps_the_low_32_bits() -> None:
    shifted = fixed_point.multiply_by_quantized_multiplier(3, 2**30, 30)
    wrapped = (3 * 2**30 + 2**31) % 2**32 - 2**31
    assert int(shifted) == wrapped // 2


@settings(deadline=None)
@given(st.floats(2.0**-32, 2.0**29))
@example(1.0)
@example(math.nextafter(1.0, 0.0))
@example(2.0**-32)
def test_quantized_multiplier_is_the_nearest_of_31_bits(real: float) -> None:
    multiplier, shift = fixed_point.quantize_multiplier(real)
    assert 2**30 <= multiplier < 2**31
    assert -31 <= shift <= 30
    error = abs(Fraction(multiplier) * Fraction(2) ** (shift - 31) - Fraction(real))
    assert error <= Fraction(real) * Fraction(1, 2**31)


def test_quantized_multiplier_rounds_up_into_the_next_power_of_two() -> None:
    assert fixed_point.quantize_multiplier(math.nextafter(1.0, 0.0)) == (2**30, 1)


@pytest.mark.parametrize("real", [0.0, 2.0**-34, 1e-300])
def test_tiny_multiplier_flushes_to_zero(real: float) -> None:
    assert fixed_point.quantize_multiplier(real) == (0, 0)


@pytest.mark.parametrize("real", [-1.0, math.inf, math.nan, 2.0**31])
def test_multiplier_without_a_fixed_point_form_is_refused(real: float) -> None:
    with pytest.raises(GraphError):
        fixed_point.quantize_multiplier(real)


def test_exponential_is_accurate_over_its_whole_range() -> None:
    a = -np.concatenate([np.arange(0, 2**20), np.linspace(0, 2**31 - 1, 200_000).astype(np.int64)])
    actual = fixed_point.exp_on_negative_values(a) / 2.0**31
    np.testing.assert_allclose(actual, np.exp(a / 2.0**26), rtol=0, atol=3e-7)
    assert int(fixed_point.exp_on_negative_values(0)) == 2**31 - 1


def test_factors_of_the_exponential_are_its_values_at_powers_of_two() -> None:
    for exponent, factor in fixed_point._EXP_OF_MINUS_POWERS_OF_TWO:
        assert factor == round(math.exp(-(2.0**exponent)) * 2**31)


def test_reciprocal_of_one_plus_x_is_accurate() -> None:
    a = np.linspace(0, 2**31 - 1, 100_001).astype(np.int64)
    actual = fixed_point.one_over_one_plus_x(a) / 2.0**31
    np.testing.assert_allclose(actual, 1.0 / (1.0 + a / 2.0**31), rtol=0, atol=4e-9)


def test_leading_zeros_are_counted_as_on_a_32_bit_register() -> None:
    values = [1, 2, 3, 2**15, 2**19, 2**30, 2**31 - 1]
    expected = [32 - value.bit_length() for value in values]
    assert fixed_point.count_leading_zeros(values).tolist() == expected
