"""Two halves of the cells, and each half's partial choices of low regrets, by rising regret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeflow.search.rows import Array

Integers = NDArray[np.int64]

_GRID = 2_048


@dataclass(frozen=True, eq=False)
class CellColumns:
    """A cell's columns, their regrets and what they take of the rows [columns, rows]."""

    columns: Integers
    regret: Array
    taken: Array

    def up_to(self, depth: float) -> CellColumns:
        """Those of a regret of at most `depth`, from the lowest."""
        order = np.argsort(self.regret, kind="stable")
        order = order[self.regret[order] <= depth]
        return CellColumns(self.columns[order], self.regret[order], self.taken[order])


def halves(
    cells: list[CellColumns], size: int, most: float
) -> tuple[float, tuple[list[CellColumns], ...]]:
    """Two halves, and the depth up to which each has at most `size` partial choices."""
    deep = _depth(cells, size**1.7, most)
    one: list[CellColumns] = []
    other: list[CellColumns] = []
    sizes = [0.0, 0.0]
    for weight, cell in sorted(
        ((_weight(cell, deep), cell) for cell in cells), key=lambda pair: -pair[0]
    ):
        lighter = int(sizes[1] < sizes[0])
        (one, other)[lighter].append(cell)
        sizes[lighter] += weight
    depth = min(_depth(half, size, most) for half in (one, other))
    return depth, ([c.up_to(depth) for c in one], [c.up_to(depth) for c in other])


def _weight(cell: CellColumns, depth: float) -> float:
    """How much a cell multiplies the partial choices: the logarithm of its number of low regrets.

    A regret of nothing counts whole, the others less and less.
    """
    if depth <= 0:
        return float(np.log(np.count_nonzero(cell.regret == 0)))
    return float(np.log(np.exp(-10 * cell.regret / depth).sum()))


def _depth(cells: list[CellColumns], size: float, most: float) -> float:
    """A sum of regrets, at most `most`, up to which there are at most `size` partial choices."""
    top = most
    while top > 1e-12:
        count = np.cumsum(_counts(cells, top))
        steps = int(np.searchsorted(count, size, side="right"))
        if steps > _GRID:
            return top
        if steps >= _GRID // 16:
            # Regrets were rounded down to the grid, so that up to here there are `size` or fewer.
            return top * (steps - 1) / _GRID
        top *= 2 * (steps + 1) / _GRID
    return 0.0


def _counts(cells: list[CellColumns], top: float) -> Array:
    """How many partial choices have regrets of each step of a grid, each regret rounded down."""
    counts = np.zeros(_GRID + 1)
    counts[0] = 1
    for cell in cells:
        steps = np.floor(cell.regret[cell.regret <= top] / top * _GRID).astype(np.int64)
        added = np.zeros_like(counts)
        for step, times in zip(*np.unique(steps, return_counts=True), strict=True):
            added[step:] += times * counts[: _GRID + 1 - step]
        counts = np.minimum(added, 1e200)
    return counts


@dataclass(frozen=True, eq=False)
class PartialChoices:
    """Partial choices, by rising regret: what they take of the rows, and their codes.

    Code [partial choices, words] holds the place of each cell's column, by `words` and `units`.
    None with a regret of at most `complete` is missing.
    """

    cells: Sequence[CellColumns]
    regret: Array
    taken_of_rows: Array
    code: Integers
    words: tuple[int, ...]
    units: tuple[int, ...]
    complete: float

    def columns(self, index: int) -> Integers:
        """The columns of a partial choice."""
        return np.array(
            [
                cell.columns[self.code[index, word] // unit % len(cell.columns)]
                for cell, word, unit in zip(self.cells, self.words, self.units, strict=True)
            ],
            np.int64,
        )


def listed(cells: Sequence[CellColumns], rows: int, depth: float, size: int) -> PartialChoices:
    """The partial choices whose regrets sum to at most `depth`, the `size` lowest at most."""
    complete = depth
    words, units = _words([len(cell.columns) for cell in cells])
    regret, taken = np.zeros(1), np.zeros((1, rows))
    code = np.zeros((1, max(words, default=0) + 1), np.int64)
    for cell, word, unit in zip(cells, words, units, strict=True):
        ends = np.searchsorted(regret, depth - cell.regret, side="right")
        sums = [regret[:end] + own for end, own in zip(ends, cell.regret, strict=True)]
        order = np.argsort(np.concatenate(sums), kind="stable")
        if len(order) > size:
            complete = min(complete, _below(np.concatenate(sums)[order[size]]))
            order = order[:size]
        regret = np.concatenate(sums)[order]
        before = np.concatenate([np.arange(end) for end in ends])[order]
        place = np.repeat(np.arange(len(ends)), ends)[order]
        taken = taken[before] + cell.taken[place]
        code = code[before]
        code[:, word] += place * unit
    return PartialChoices(cells, regret, taken, code, words, units, complete)


def _below(value: float) -> float:
    return float(np.nextafter(value, -np.inf))


def _words(sizes: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """For each digit of these sizes its word of 62 bits and its unit within the word."""
    words, units = [], []
    word, unit = 0, 1
    for size in sizes:
        if unit * size >= 2**62:
            word, unit = word + 1, 1
        words.append(word)
        units.append(unit)
        unit *= size
    return tuple(words), tuple(units)
