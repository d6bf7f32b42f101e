"""Choices that need no search: one width of weights, or one part of the channels, for all cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgeflow.nets.specs import ShapeHWC
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


def smallest_choice(space: Space) -> Choice:
    """The candidates of the fewest bits of weights."""
    shapes = space.teacher.shapes()
    found = []
    for cell in space.cells:
        sizes = [_weight_bits(candidate, shapes[cell.index]) for candidate in cell.candidates]
        found.append(sizes.index(min(sizes)))
    return tuple(found)


def _weight_bits(candidate: Candidate, shape: ShapeHWC) -> int:
    from edgeflow.nets.cells import build_cells

    module = build_cells(candidate.cells, shape, 0)
    return candidate.weight_bits * sum(weights.numel() for weights in module.parameters())


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
