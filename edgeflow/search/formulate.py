"""The integer program of a space: its candidates' scores under limits of their costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edgeflow.grow.cost import Limits
from edgeflow.search.costs import CandidateCosts
from edgeflow.search.problem import Cell, Limit, Problem
from edgeflow.search.space import Space

INSTRUCTIONS, FLASH, RAM = "instructions", "flash", "ram"


def formulate(
    space: Space,
    scores: Sequence[NDArray[np.float64]],
    costs: CandidateCosts,
    limits: Limits,
) -> Problem:
    """Choose a candidate for every searched cell; `scores` [candidates] for each, lower is better.

    Instructions and flash add up. RAM is the largest of the steps: cells run one after another, so
    each keeps the limit alone.
    """
    return Problem(
        cells=tuple(
            Cell(
                name=f"cell {cell.index}",
                choices=tuple(candidate.name for candidate in cell.candidates),
                scores=own,
            )
            for cell, own in zip(space.cells, scores, strict=True)
        ),
        limits=tuple(_limits(space, costs, limits)),
    )


def _limits(space: Space, costs: CandidateCosts, limits: Limits) -> Iterator[Limit]:
    if limits.instructions is not None:
        yield Limit(
            name=INSTRUCTIONS,
            unit="instructions",
            most=limits.instructions,
            costs=dict(enumerate(costs.instructions)),
            fixed=costs.fixed_instructions,
        )
    if limits.flash_bytes is not None:
        yield Limit(
            name=FLASH,
            unit="bytes",
            most=limits.flash_bytes,
            costs=dict(enumerate(costs.flash_bytes)),
            fixed=costs.fixed_flash_bytes,
        )
    if limits.ram_bytes is not None:
        for number, (cell, taken) in enumerate(zip(space.cells, costs.ram_bytes, strict=True)):
            yield Limit(
                name=f"{RAM} at cell {cell.index}",
                unit="bytes",
                most=limits.ram_bytes,
                costs={number: taken},
            )
        yield Limit(
            name=f"{RAM} at the cells that stay",
            unit="bytes",
            most=limits.ram_bytes,
            costs={},
            fixed=costs.fixed_ram_bytes,
        )
