"""How a network becomes hardware."""

from __future__ import annotations

from enum import StrEnum


class FpgaStyle(StrEnum):
    """Layer after layer on shared lanes, or every product in logic of its own."""

    FOLDED = "folded"
    SPATIAL = "spatial"
