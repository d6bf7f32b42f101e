"""Figures: numbers that say their unit and how they were obtained."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FigureKind(StrEnum):
    """How a number came to be. Kinds never mix silently."""

    MEASURED = "measured"
    SIMULATED = "simulated"
    ESTIMATED = "estimated"


class Unit(StrEnum):
    """The units that edgeflow reports."""

    INSTRUCTIONS = "instructions"
    CYCLES = "cycles"
    BYTES = "bytes"
    SECONDS = "seconds"
    HERTZ = "hertz"
    FRACTION = "fraction"
    COUNT = "count"
    RATIO = "ratio"
    TARGET = "in the target's unit"


@dataclass(frozen=True)
class Figure:
    """A named number with its unit, its kind, and where it was obtained."""

    name: str
    value: float
    unit: Unit
    kind: FigureKind
    source: str


def _time(seconds: float) -> str:
    """Seconds in the unit in which they have one to three digits before the point."""
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def quantity(value: float, unit: Unit) -> str:
    """A number as people read it, with its unit."""
    if unit is Unit.FRACTION:
        return f"{value:.2%}"
    if unit is Unit.SECONDS:
        return _time(value)
    if unit is Unit.HERTZ:
        return f"{value / 1e6:.1f} MHz"
    if unit is Unit.RATIO:
        return f"{value:.4f}"
    if unit is Unit.TARGET:
        return f"{value:.4g}"
    number = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    name = unit.value.removesuffix("s") if value == 1 else unit.value
    return number if unit is Unit.COUNT else f"{number} {name}"
