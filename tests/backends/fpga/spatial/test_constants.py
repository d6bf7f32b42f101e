"""Requantization with fewest digits: exact for every sum, and a shift for powers of two."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeflow.backends.fpga.exact_steps import steps_of
from edgeflow.backends.fpga.spatial.constants import digits_of, simplest
from edgeflow.graph.fixed_point import (
    Int64Array,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
)


@settings(max_examples=40, deadline=None)
@given(
    st.floats(1e-4, 0.9),
    st.integers(-5000, 5000),
    st.sampled_from([range(256), range(-128, 128), range(-3, 9)]),
)
def test_every_sum_gives_what_the_graph_gives(scale: float, bias: int, values: range) -> None:
    multiplier, shift = quantize_multiplier(scale)

    def function(sums: Int64Array) -> Int64Array:
        return multiply_by_quantized_multiplier(
            sums + bias, np.array([multiplier]), np.array([shift])
        )

    low, high = np.array([-30000]), np.array([30000])
    steps = steps_of(function, low, high, np.array([scale]), values)
    found = simplest(steps, 0)
    sums = np.arange(-30000, 30001)
    wide = found.multiplier * sums + found.offset
    if found.turn is not None:
        wide -= np.where(wide < 1 << (found.shift - 1), 1 << found.turn, 0)
    got = np.clip(wide >> found.shift, values.start, values.stop - 1)
    wanted = np.clip(function(sums[:, None])[:, 0], values.start, values.stop - 1)
    assert np.array_equal(got, wanted)


def test_a_power_of_two_is_a_shift() -> None:
    multiplier, shift = quantize_multiplier(1 / 64)
    steps = steps_of(
        lambda sums: multiply_by_quantized_multiplier(
            sums, np.array([multiplier]), np.array([shift])
        ),
        np.array([-40000]),
        np.array([40000]),
        np.array([1 / 64]),
        range(256),
    )
    found = simplest(steps, 0)
    assert (found.multiplier, found.shift, digits_of(found)) == (1, 6, 1)
