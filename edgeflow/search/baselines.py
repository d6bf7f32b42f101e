"""Choices that need no search: one width of weights, or one part of the channels, for all cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgeflow.search.space import Candidate, Choice, Space

ORIGINAL = "original"


@dataclass(frozen=True)
class Baseline:
    """A choice and what it is called."""

    name: str
    choice: Choice


def baselines(space: Space) -> tuple[Baseline, ...]:
    """The original cells with each width of weights, then with fewer channels inside each."""
    found: dict[Choice, Baseline] = {}
    for each in _all(space):
        found.setdefault(each.choice, each)
    return tuple(found.values())


def _all(space: Space) -> Iterator[Baseline]:
    widths = {candidate.weight_bits for cell in space.cells for candidate in cell.candidates}
    for bits in sorted(widths, reverse=True):
        yield Baseline(f"all cells as they are, {bits} bits", _uniform(space, 1.0, bits))
    most = max(widths)
    for part in (0.75, 0.5, 0.25):
        name = f"{part:.0%} of the channels inside, {most} bits"
        yield Baseline(name, _uniform(space, part, most))


def _uniform(space: Space, part: float, bits: int) -> Choice:
    return tuple(
        _closest(cell.candidates, part * cell.candidates[0].width, bits) for cell in space.cells
    )


def _closest(candidates: tuple[Candidate, ...], width: float, bits: int) -> int:
    """The original operator whose width is closest, with these bits."""
    own = [
        index
        for index, candidate in enumerate(candidates)
        if candidate.family == ORIGINAL and candidate.weight_bits == bits
    ]
    return min(own, key=lambda index: abs(candidates[index].width - width))
