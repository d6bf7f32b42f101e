"""One multiplication in place of the graph's roundings, for every sum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeflow.backends.fpga.exact_steps import MOST_BITS, apply, scaling, steps_of
from edgeflow.graph.fixed_point import (
    Int64Array,
    double_multiplier,
    multiply_as_double,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
)

REACH = 60_000


def _all_sums() -> Int64Array:
    return np.arange(-REACH, REACH + 1, dtype=np.int64)[:, None]


@settings(deadline=None, max_examples=40)
@given(
    scale=st.floats(2.0**-14, 2.0**-5),
    bias=st.integers(-20_000, 20_000),
    least=st.integers(-128, 0),
    double=st.booleans(),
)
def test_every_sum_gives_the_output_of_the_graph(
    scale: float, bias: int, least: int, double: bool
) -> None:
    def function(sums: Int64Array) -> Int64Array:
        if double:
            return multiply_as_double(sums + bias, *double_multiplier(scale))
        return multiply_by_quantized_multiplier(sums + bias, *quantize_multiplier(scale))

    ends = np.array([-REACH]), np.array([REACH])
    values = range(least, 128)
    steps = steps_of(function, *ends, np.array([scale]), values)
    found = next(
        (
            (shift, constants)
            for shift in range(34, 20, -1)
            if (constants := scaling(steps, shift, MOST_BITS)) is not None
        ),
        None,
    )
    assert found is not None
    sums = _all_sums()
    wanted = np.clip(function(sums), least, 127)
    assert np.array_equal(np.clip(apply(found[1], sums, found[0]), least, 127), wanted)


def test_roundings_away_from_zero_need_the_turn() -> None:
    scale = 0.0031
    factors = quantize_multiplier(scale)
    ends = np.array([-REACH]), np.array([REACH])
    steps = steps_of(
        lambda sums: multiply_by_quantized_multiplier(sums, *factors),
        *ends,
        np.array([scale]),
        range(-128, 128),
    )
    found = scaling(steps, 34, MOST_BITS)
    assert found is not None
    assert found.turns[0] > 0


def test_a_function_of_too_many_steps_for_the_multiplier_has_none() -> None:
    ends = np.array([-1000]), np.array([1000])
    steps = steps_of(lambda sums: sums // 3, *ends, np.array([1 / 3]), range(-128, 128))
    assert scaling(steps, 34, MOST_BITS) is not None
    assert scaling(steps, 34, 8) is None


@pytest.mark.parametrize("count", [4, 9, 36])
def test_averages_round_half_away_from_zero(count: int) -> None:
    def function(sums: Int64Array) -> Int64Array:
        rounded: Int64Array = np.sign(sums) * ((np.abs(sums) + count // 2) // count)
        return rounded

    bound = 128 * count
    ends = np.array([-bound]), np.array([bound])
    steps = steps_of(function, *ends, np.array([1 / count]), range(-128, 128))
    found = scaling(steps, 32, MOST_BITS)
    assert found is not None
    sums = np.arange(-bound, bound + 1, dtype=np.int64)[:, None]
    assert np.array_equal(
        np.clip(apply(found, sums, 32), -128, 127), np.clip(function(sums), -128, 127)
    )
