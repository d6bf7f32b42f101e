"""Integer dataflow: ranges hold every value, additions are shared and exact."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeflow.backends.fpga.spatial.flow import Flow, bits_of, evaluate
from edgeflow.backends.fpga.spatial.products import products, signed_digits

pytest.importorskip("da4ml")


@given(st.integers(-(2**40), 2**40))
def test_signed_digits_give_the_number_and_no_two_are_neighbours(number: int) -> None:
    digits = signed_digits(number)
    assert sum(sign << exponent for sign, exponent in digits) == number
    exponents = [exponent for _, exponent in digits]
    assert all(b - a >= 2 for a, b in itertools.pairwise(exponents))


@given(st.integers(-(2**30), 2**30), st.integers(0, 2**30))
def test_bits_hold_a_range_and_one_less_does_not(low: int, width: int) -> None:
    high = low + width
    bits = bits_of(low, high)

    def holds(count: int) -> bool:
        if low >= 0:
            return high < 1 << count
        return -(1 << (count - 1)) <= low and high < 1 << (count - 1)

    assert holds(bits)
    assert bits == 1 or not holds(bits - 1)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 12),
    st.integers(1, 6),
    st.sampled_from([1, 3, 8, 127]),
    st.integers(0, 2**32 - 1),
)
def test_products_equal_the_matrix_and_stay_within_their_ranges(
    inputs: int, outputs: int, largest: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.integers(-largest, largest + 1, (inputs, outputs))
    weights[rng.random(weights.shape) < 0.3] = 0
    low = int(rng.integers(-128, 1))
    flow = Flow([(low, low + 255)] * inputs)
    terms = products(flow, range(inputs), weights)
    x = rng.integers(low, low + 256, (inputs, 40))
    found = evaluate(flow.values, x)
    for value, numbers in zip(flow.values, found, strict=True):
        assert value.low <= numbers.min()
        assert numbers.max() <= value.high
    for column, term in enumerate(terms):
        wanted = weights[:, column] @ x
        if term is None:
            assert not wanted.any()
            continue
        assert term.shift >= 0
        got = found[term.value] << term.shift
        assert np.array_equal(-got if term.negative else got, wanted)
