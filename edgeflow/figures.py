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
    FRACTION = "fraction"
    COUNT = "count"


@dataclass(frozen=True)
class Figure:
    """A named number with its unit, its kind, and where it was obtained."""

    name: str
    value: float
    unit: Unit
    kind: FigureKind
    source: str
