"""Integer constants that equal a multiplication in double precision, for every int32 number.

LiteRT's reference FULLY_CONNECTED multiplies its accumulator by a double and rounds. No device
should need doubles for that: the output is one of 256 values, so the product only has to fall on
the right side of each boundary between two of them. Boundaries bound the multiplier from both
sides, and any number in between gives the same result everywhere.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edgeflow.errors import GraphError

MULTIPLIER_BITS = 46
MAX_MAGNITUDE = 2**31
# Results from here on saturate whatever the output's zero point is.
SATURATED = 256
_LARGEST_SCALE = 2.0**9


@lru_cache(maxsize=4096)
def exact_multiplier(scale: float) -> tuple[int, int]:
    """(multiplier, right_shift) with which `fixed_point.multiply_exact` rounds as double does.

    For |acc| <= 2**31, min(round(|acc| * scale), 256) equals the same of
    (|acc| * multiplier + 2**(right_shift - 1)) >> right_shift. The multiplier is 0, or has 46 bits
    (at most 2**46); the right shift is 33 to 78. One always exists: two boundaries differ by a
    relative 2**-40 at least.

    Raises:
        GraphError: not a finite positive number.
    """
    if not (math.isfinite(scale) and scale > 0.0):
        raise GraphError(
            f"a scale ratio of {scale} has no fixed-point form",
            hint="Scales must be finite and positive, and so must their ratios.",
        )
    # From 2**9 on, every accumulator but zero saturates.
    capped = min(scale, _LARGEST_SCALE)
    reached = min(SATURATED, int(round_half_away(np.float64(MAX_MAGNITUDE * capped))))
    if reached == 0:
        return 0, MULTIPLIER_BITS
    fraction, exponent = math.frexp(capped)
    right_shift = MULTIPLIER_BITS - exponent
    lowest, highest = _multiplier_bounds(capped, reached, right_shift)
    nominal = round(math.ldexp(fraction, MULTIPLIER_BITS))
    return min(max(nominal, lowest), highest), right_shift


def round_half_away(values: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    """C's `round` of numbers that are not negative, below 2**52."""
    whole = np.floor(values)
    return np.asarray(whole + (values - whole >= 0.5))


def _multiplier_bounds(scale: float, reached: int, right_shift: int) -> tuple[int, int]:
    """Multipliers, both ends included, that reach each result at the same magnitude as `scale`."""
    half = 1 << (right_shift - 1)
    lowest, highest = 0, 2**MULTIPLIER_BITS
    for result, magnitude in enumerate(_first_magnitudes(scale, reached), start=1):
        boundary = (2 * result - 1) * half
        lowest = max(lowest, -(-boundary // magnitude))
        if magnitude > 1:
            highest = min(highest, (boundary - 1) // (magnitude - 1))
    if reached < SATURATED:
        highest = min(highest, ((2 * reached + 1) * half - 1) // MAX_MAGNITUDE)
    assert lowest <= highest, scale
    return lowest, highest


def _first_magnitudes(scale: float, reached: int) -> list[int]:
    """For each result from 1 to `reached`, the smallest magnitude that double rounds to it."""
    results = np.arange(1, reached + 1, dtype=np.float64)
    magnitudes = np.ceil((results - 0.5) / scale)
    # The quotient is rounded, and so is the product that it undoes: one off is possible.
    magnitudes -= round_half_away((magnitudes - 1) * scale) >= results
    magnitudes += round_half_away(magnitudes * scale) < results
    return [int(magnitude) for magnitude in magnitudes]
