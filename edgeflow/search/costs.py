"""What every candidate of a space costs: values that the integer program's limits are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = tuple[NDArray[np.float64], ...]
"""For each searched cell, in order, an array [candidates]."""


@dataclass(frozen=True, eq=False)
class CandidateCosts:
    """What the candidates of every searched cell cost, and what is paid whatever is chosen.

    `instructions` and `flash_bytes` add up over the cells and the fixed part. `ram_bytes` is the
    peak while that cell runs; `fixed_ram_bytes` the peak while a cell that is not searched runs.
    """

    instructions: Rows
    flash_bytes: Rows
    ram_bytes: Rows
    fixed_instructions: float = 0.0
    fixed_flash_bytes: float = 0.0
    fixed_ram_bytes: float = 0.0
