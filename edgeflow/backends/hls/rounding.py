"""Requantization as scales, biases and types of hls4ml, equal to the graph's for every sum.

Where one multiplication is exact (`backends.fpga.exact_steps`), it is `scale * sum + bias`, cut to
an integer. Reference kernels round halves away from zero, for which no single offset may stand;
then the value is first cut to a grid on which such halves lie, and then rounded by a type that does
just that. Convolutions whose channels have no common grid are rounded twice, as the reference does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgeflow.backends.fpga.exact_steps import (
    LEAST_SHIFT,
    MOST_BITS,
    MOST_SHIFT,
    Scaling,
    Steps,
    plain_scaling,
    scaling,
)
from edgeflow.backends.hls.number import NINE_BITS, Number, Rounding, holding
from edgeflow.graph.fixed_point import Int64Array


@dataclass(frozen=True, eq=False)
class Affine:
    """(multipliers * x + offsets) / 2**shift by channel, as a `result`."""

    multipliers: Int64Array
    offsets: Int64Array
    shift: int
    result: Number


@dataclass(frozen=True, eq=False)
class TwoRoundings:
    """The reference's constants: x * multiplier * 2**(shift - 31) of x = sum + bias."""

    multipliers: Int64Array
    shifts: Int64Array
    biases: Int64Array


def affines_of(
    steps: Steps, moved: Int64Array, added: int, result: Number, twice: TwoRoundings | None
) -> tuple[Affine, ...] | None:
    """From a sum less `moved` to the steps' output and `added`; None where none is exact."""
    plain = _plain(steps, moved, added, result)
    if plain is not None:
        return (plain,)
    found = _turned(steps, moved) if twice is None else _twice(twice, steps, moved)
    if found is None:
        return None
    if added:
        return (*found, constant(len(moved), added, result))
    rounding = found[-1].result.rounding
    return (*found[:-1], replace(found[-1], result=replace(result, rounding=rounding)))


def is_exact(steps: Steps) -> bool:
    """Whether scales and biases have these steps, which no two roundings made."""
    return affines_of(steps, np.zeros(len(steps.scales), np.int64), 0, NINE_BITS, None) is not None


def constant(channels: int, added: int, result: Number) -> Affine:
    """A value and a constant."""
    return Affine(np.ones(channels, np.int64), np.full(channels, added), 0, result)


def _shifts(steps: Steps) -> range:
    """For which all multipliers have few enough bits, the smallest first."""
    most = MOST_BITS - 1 - int(np.ceil(np.log2(max(float(steps.scales.max()), 2.0**-20))))
    return range(LEAST_SHIFT, min(MOST_SHIFT, most) + 1)


def _plain(steps: Steps, moved: Int64Array, added: int, result: Number) -> Affine | None:
    """One multiplication and one offset, with the smallest shift."""
    for shift in _shifts(steps):
        found = plain_scaling(steps, shift, MOST_BITS)
        if found is not None:
            return _moved(found, moved, shift, result, added << shift)
    return None


def _moved(found: Scaling, moved: Int64Array, shift: int, result: Number, added: int = 0) -> Affine:
    offsets = found.offsets + found.multipliers * moved + added
    return Affine(found.multipliers, offsets, shift, result)


def _turned(steps: Steps, moved: Int64Array) -> tuple[Affine, ...] | None:
    """A grid of 2**(turn - shift), on which halves are rounded away from zero."""
    for shift in _shifts(steps):
        found = scaling(steps, shift, MOST_BITS)
        if found is None or len(np.unique(found.turns)) != 1:
            continue
        turn = int(found.turns[0])
        grid = replace(found, offsets=found.offsets - (1 << (shift - 1)))
        low, high = _reached(grid, steps)
        # Twice the value, and then half of it: hls4ml takes off what neither scales nor adds.
        result = holding(low >> turn, high >> turn, shift - turn - 1)
        return (_moved(grid, moved, shift - 1, result), _halved(len(moved)))
    return None


def _halved(channels: int) -> Affine:
    return replace(constant(channels, 0, NINE_BITS), shift=1)


def _twice(twice: TwoRoundings, steps: Steps, moved: Int64Array) -> tuple[Affine, ...]:
    """The high half of a product, halves rounded up; then a shift, halves rounded away from zero.

    Source: gemmlowp's SaturatingRoundingDoublingHighMul and RoundingDivideByPOT.
    """
    left, right = np.maximum(twice.shifts, 0), np.maximum(-twice.shifts, 0)
    multipliers = twice.multipliers << left
    products = Scaling(multipliers, multipliers * twice.biases, np.zeros_like(multipliers))
    low, high = _reached(products, steps)
    half = 1 << 30
    result = holding((low + half) >> 31, (high + half) >> 31, 0, Rounding.HALF_UP)
    most = int(right.max())
    if most == 0:
        return (_moved(products, moved, 31, result),)
    shifted = Affine(np.int64(1) << (most - right), np.zeros_like(right), most, NINE_BITS)
    return (_moved(products, moved, 31, result), shifted)


def _reached(found: Scaling, steps: Steps) -> tuple[int, int]:
    """The least and the largest of multiplier * sum + offset."""
    low = int((found.multipliers * steps.low + found.offsets).min())
    return low, int((found.multipliers * steps.high + found.offsets).max())
