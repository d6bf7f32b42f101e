"""Scales, biases and types that give the graph's output for every sum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeflow.backends.fpga.exact_steps import steps_of
from edgeflow.backends.hls.number import SIGNED_BYTE, Number, Rounding, holding
from edgeflow.backends.hls.rounding import Affine, TwoRoundings, affines_of
from edgeflow.graph.fixed_point import (
    Int64Array,
    double_multiplier,
    multiply_as_double,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
)
from tests.backends.hls.evaluation import cast

REACH = 40_000


def _computed(affines: tuple[Affine, ...], sums: Int64Array) -> Int64Array:
    fraction = 0
    for each in affines:
        wide = sums * each.multipliers + (each.offsets << fraction)
        sums = cast(wide, fraction + each.shift, each.result)
        fraction = each.result.fraction
    return sums


def _check(scale: float, bias: int, zero: int, moved: int, double: bool) -> None:
    multiplier, shift = quantize_multiplier(scale)

    def function(sums: Int64Array) -> Int64Array:
        if double:
            return multiply_as_double(sums + bias, *double_multiplier(scale))
        return multiply_by_quantized_multiplier(sums + bias, multiplier, shift)

    ends = np.array([-REACH]), np.array([REACH])
    steps = steps_of(function, *ends, np.array([scale]), range(-128 - zero, 128 - zero))
    twice = TwoRoundings(*(np.array([each]) for each in (multiplier, shift, bias)))
    found = affines_of(steps, np.array([moved]), zero, SIGNED_BYTE, None if double else twice)
    assert found is not None
    sums = np.arange(-REACH, REACH + 1, dtype=np.int64)[:, None]
    wanted = np.clip(function(sums) + zero, -128, 127)
    assert np.array_equal(_computed(found, sums - moved), wanted)


@settings(deadline=None, max_examples=40)
@given(
    scale=st.floats(2.0**-14, 2.0**-4),
    bias=st.integers(-20_000, 20_000),
    zero=st.integers(-128, 127),
    moved=st.integers(-5_000, 5_000),
    double=st.booleans(),
)
def test_every_sum_gives_the_output_of_the_graph(
    scale: float, bias: int, zero: int, moved: int, double: bool
) -> None:
    _check(scale, bias, zero, moved, double)


@pytest.mark.parametrize("scale", [2.0**-7, 3 * 2.0**-9, 0.0031])
@pytest.mark.parametrize("zero", [0, 5])
def test_halves_are_rounded_away_from_zero(scale: float, zero: int) -> None:
    _check(scale, 0, zero, 0, double=False)
    _check(scale, 0, zero, 0, double=True)


def test_types_are_as_narrow_as_their_values() -> None:
    assert str(holding(0, 255)) == "ufixed<8,8,TRN,WRAP>"
    assert str(holding(-128, 127, 4)) == "fixed<8,4,TRN,WRAP>"
    assert holding(-129, 127).bits == 9
    assert str(Number(9, rounding=Rounding.HALF_AWAY, saturates=True)) == "fixed<9,9,RND_INF,SAT>"
