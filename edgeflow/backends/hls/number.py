"""Fixed-point types of the generated C++: how wide, and what happens to what does not fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from edgeflow.graph.fixed_point import Int64Array


class Rounding(StrEnum):
    """To the type's last bit, by the name that ap_fixed and ac_fixed share."""

    DOWN = "TRN"
    HALF_UP = "RND"
    HALF_AWAY = "RND_INF"


@dataclass(frozen=True)
class Number:
    """A type of `bits`, of which `fraction` lie behind the point; the latter may be more.

    With `saturates` values beyond its range become the nearest one, else they must not occur.
    """

    bits: int
    fraction: int = 0
    signed: bool = True
    rounding: Rounding = Rounding.DOWN
    saturates: bool = False

    def __str__(self) -> str:
        """As hls4ml takes it."""
        kind = "fixed" if self.signed else "ufixed"
        overflow = "SAT" if self.saturates else "WRAP"
        return f"{kind}<{self.bits},{self.bits - self.fraction},{self.rounding},{overflow}>"


SIGNED_BYTE = Number(8, saturates=True)
UNSIGNED_BYTE = Number(8, signed=False, saturates=True)
NINE_BITS = Number(9, rounding=Rounding.HALF_AWAY, saturates=True)


def holding(low: int, high: int, fraction: int = 0, rounding: Rounding = Rounding.DOWN) -> Number:
    """The narrowest type of values from low to high, in units of its last bit."""
    if low >= 0:
        return Number(max(1, high.bit_length()), fraction, False, rounding)
    bits = 1 + max((-low - 1).bit_length(), high.bit_length())
    return Number(bits, fraction, True, rounding)


def holding_all(values: Int64Array, fraction: int = 0) -> Number:
    """The narrowest type of constants."""
    found = holding(int(values.min()), int(values.max()), fraction)
    # Types of a single bit mean something else to hls4ml.
    return replace(found, bits=max(2, found.bits))
