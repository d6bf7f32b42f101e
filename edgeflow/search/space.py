"""What a search chooses from: for every cell of a teacher, candidates for its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from edgeflow.nets.network import NetworkSpec
from edgeflow.nets.specs import AnyCell

Choice = tuple[int, ...]
"""For each searched cell, in order, the index of its candidate."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Candidate(_Value):
    """Cells that take a cell's place, none of them being the identity, and their weights' bits.

    `family` names operators that differ in `width` alone: the channels inside, or those of the
    output where there are none inside. Only the widest of a family is trained from random weights.
    """

    family: str
    width: int = Field(ge=0)
    weight_bits: int = Field(ge=2, le=8)
    cells: tuple[AnyCell, ...]

    @property
    def name(self) -> str:
        """Such as `inverted-residual 3x3, 48 channels, 4 bits`."""
        width = f", {self.width} channels" if self.width else ""
        bits = f", {self.weight_bits} bits" if self.cells else ""
        return f"{self.family}{width}{bits}"


class SearchedCell(_Value):
    """A cell of the teacher by its index, and its candidates: the first is the cell as it is."""

    index: int = Field(ge=0)
    candidates: tuple[Candidate, ...] = Field(min_length=1)


class Space(_Value):
    """A teacher and the cells that are searched, in order; its other cells stay as they are.

    Cells that stay have weights of `fixed_weight_bits`.
    """

    teacher: NetworkSpec
    cells: tuple[SearchedCell, ...]
    fixed_weight_bits: int = 8

    @property
    def size(self) -> int:
        """How many candidates there are, over all cells."""
        return sum(len(cell.candidates) for cell in self.cells)


class Assembly(_Value):
    """A network with one candidate for each searched cell.

    `weight_bits` and `origin`, the index of the teacher's cell, are for each cell of `spec`.
    """

    spec: NetworkSpec
    weight_bits: tuple[int, ...]
    origin: tuple[int, ...]


def assembly(space: Space, choice: Choice) -> Assembly:
    """The network that a choice means."""
    chosen = {
        cell.index: cell.candidates[index] for cell, index in zip(space.cells, choice, strict=True)
    }
    cells: list[AnyCell] = []
    bits: list[int] = []
    origin: list[int] = []
    for index, cell in enumerate(space.teacher.cells):
        found = chosen.get(index)
        own = (cell,) if found is None else found.cells
        cells += own
        bits += [space.fixed_weight_bits if found is None else found.weight_bits] * len(own)
        origin += [index] * len(own)
    spec = NetworkSpec(
        name=space.teacher.name, input_shape=space.teacher.input_shape, cells=tuple(cells)
    )
    return Assembly(spec=spec, weight_bits=tuple(bits), origin=tuple(origin))


def original(space: Space) -> Choice:
    """The teacher itself."""
    return (0,) * len(space.cells)


def covering(space: Space) -> Iterator[Choice]:
    """Choices that together hold every candidate, as few as the largest number of candidates."""
    for index in range(max(len(cell.candidates) for cell in space.cells)):
        yield tuple(index % len(cell.candidates) for cell in space.cells)


def random_choice(space: Space, generator: np.random.Generator) -> Choice:
    """A candidate for each cell, each as likely as the others."""
    return tuple(int(generator.integers(len(cell.candidates))) for cell in space.cells)


def widest_of_families(candidates: Sequence[Candidate]) -> dict[str, Candidate]:
    """The widest candidate of each family, by the family's name."""
    widest: dict[str, Candidate] = {}
    for candidate in candidates:
        best = widest.get(candidate.family)
        if best is None or candidate.width > best.width:
            widest[candidate.family] = candidate
    return widest


def cell_of_layer(assembled: Assembly, layer: str) -> int:
    """The teacher's cell that a layer of the assembled network's graph belongs to.

    Layers are named after modules: `3.expand.0` lies in cell 3 of `assembled.spec`.
    """
    return assembled.origin[int(layer.partition(".")[0])]
