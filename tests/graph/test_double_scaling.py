from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgeflow.errors import GraphError
from edgeflow.graph.fixed_point import double_multiplier, multiply_as_double

FLOAT32_SCALES = st.floats(2.0**-20, 2.0**4, width=32)
SCALE_RATIOS = st.builds(lambda a, b, c: a * b / c, FLOAT32_SCALES, FLOAT32_SCALES, FLOAT32_SCALES)
# Doubles next to a rational number, which put accumulators next to or onto a rounding boundary.
TIES = st.builds(
    lambda k, a, ulps: (2 * k + 1) / (2 * a) * (1.0 + ulps * 2.0**-52),
    st.integers(0, 255),
    st.integers(1, 2**31),
    st.integers(-2, 2),
)


def double_rounded(accumulator: int, scale: float) -> int:
    """The reference's `round(acc * scale)` in double, half away from zero, saturated at 256."""
    product = abs(accumulator) * scale
    if product >= 256.0:
        return int(math.copysign(256, accumulator))
    whole = math.floor(product)
    return int(math.copysign(whole + (product - whole >= 0.5), accumulator))


def integer_rounded(accumulators: list[int], scale: float) -> list[int]:
    multiplier, right_shift = double_multiplier(scale)
    scaled = multiply_as_double(np.array(accumulators), multiplier, right_shift)
    return [int(value) for value in np.clip(scaled, -256, 256)]


def accumulators_near_boundaries(scale: float) -> list[int]:
    """Both sides of every change of the result that int32 accumulators reach."""
    near = []
    for result in range(257):
        boundary = int(min((result + 0.5) / scale, 2.0**31 - 2))
        near += [boundary - 1, boundary, boundary + 1, boundary + 2]
    magnitudes = [min(max(0, value), 2**31 - 1) for value in near]
    return magnitudes + [-value for value in magnitudes] + [-(2**31)]


@settings(max_examples=150, deadline=None)
@given(st.one_of(SCALE_RATIOS, TIES))
@example(0.1)
@example(1.0 / 6.0)
@example(0.0048543689320388345)
@example(0.5)
@example(1.0)
@example(2.0**-33)
@example(1e-30)
@example(1e9)
@example(3.0 * 2.0**-32)
def test_integer_scaling_equals_double_at_every_boundary(scale: float) -> None:
    accumulators = accumulators_near_boundaries(scale)
    expected = [double_rounded(value, scale) for value in accumulators]
    assert integer_rounded(accumulators, scale) == expected


@settings(max_examples=100, deadline=None)
@given(SCALE_RATIOS, st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=50))
def test_integer_scaling_equals_double_anywhere(scale: float, accumulators: list[int]) -> None:
    expected = [double_rounded(value, scale) for value in accumulators]
    assert integer_rounded(accumulators, scale) == expected


@settings(max_examples=100, deadline=None)
@given(st.one_of(SCALE_RATIOS, TIES))
def test_constants_stay_within_their_documented_ranges(scale: float) -> None:
    multiplier, right_shift = double_multiplier(scale)
    assert multiplier == 0 or 2**52 <= multiplier < 2**53
    assert 43 <= right_shift <= 85


@pytest.mark.parametrize("scale", [0.0, -1.0, math.inf, math.nan])
def test_scale_that_is_no_positive_number_is_refused(scale: float) -> None:
    with pytest.raises(GraphError, match="fixed-point"):
        double_multiplier(scale)
