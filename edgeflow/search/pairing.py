"""Proves an optimum by listing every choice that could be better, in two halves.

With the regrets of a relaxation, a choice's score is the bound, plus the regrets of what it takes,
plus multipliers times what is left of the rows. So a solution less than D above the bound takes
regrets of less than D in all, and leaves little of every row that has a multiplier. The cells are
split into two halves, the partial choices of each up to regrets of D are listed, and a partial
choice of one half is met with those of the other that fill the rows. (Horowitz and Sahni 1974 for
the two halves; the core of a multiple-choice knapsack as in Pisinger 1995.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edgeflow.search.partial_choices import (
    CellColumns,
    Integers,
    PartialChoices,
    halves,
    listed,
)
from edgeflow.search.relaxation import Relaxation
from edgeflow.search.rows import Array, Rows

MOST_ROWS = 24
_LEVELS = (1_000, 8_000, 64_000, 512_000)  # partial choices of each half
_MOST_NUMBERS = 5_000_000  # that a half's list holds
_ALL_PAIRS = 1_000_000
_CHUNK = 500_000  # pairs that are looked at together
_ROUNDING = 1e-12  # of sums; scores and rows are scaled to 1
_MARGIN = 1 + 1e-9  # lists go deeper by this than what they are said to prove


@dataclass(frozen=True, eq=False)
class Found:
    """The best choice so far, as columns, and its distance from the relaxation's bound.

    No choice is nearer to the bound than both. `columns` are None where none was found yet.
    """

    columns: Integers | None
    distance: float
    proven: float

    @property
    def optimal(self) -> bool:
        """Whether no other choice is better."""
        return self.distance <= self.proven + _ROUNDING


def search(program: Rows, relaxed: Relaxation, near: float) -> Iterator[Found]:
    """Better and better choices and longer and longer lists, to the optimum or to the longest list.

    For programs of at most MOST_ROWS rows. `proven` is infinite where all choices were looked at.
    A list is left as soon as it gives a choice that is at most `near` from the bound.
    """
    count = len(program.most)
    matrix = np.ascontiguousarray(program.matrix.toarray().T)
    cells = [
        CellColumns(np.arange(a, b), relaxed.regret[a:b], matrix[a:b])
        for a, b in zip(program.starts[:-1], program.starts[1:], strict=True)
    ]
    everything = sum(float(cell.regret.max()) for cell in cells) * _MARGIN
    found = Found(None, np.inf, 0.0)
    for level in _LEVELS:
        size = min(level, _MOST_NUMBERS // (count + 3))
        depth, parts = halves(cells, size, min(found.distance, everything))
        one, other = (listed(part, count, depth * _MARGIN, size) for part in parts)
        pairs = _Pairs(one, other, program.most - one.taken_of_rows, relaxed.multipliers, near)
        complete = min(depth, one.complete, other.complete)
        nearest = _nearest(pairs, depth, found.distance)
        columns = found.columns
        if nearest.distance < found.distance:
            columns = np.sort(
                np.concatenate([one.columns(nearest.one), other.columns(nearest.other)])
            )
        seen = complete == depth >= everything and pairs.count <= _ALL_PAIRS
        found = Found(columns, nearest.distance, np.inf if seen else complete)
        yield found
        if found.optimal or size < level or complete < depth:
            return


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Two lists of partial choices; `wanted` is what each of the first leaves of the rows.

    A pair that is at most `near` from the bound is near enough.
    """

    one: PartialChoices
    other: PartialChoices
    wanted: Array
    multipliers: Array
    near: float

    @property
    def count(self) -> int:
        """How many pairs there are."""
        return len(self.one.regret) * len(self.other.regret)


@dataclass(frozen=True)
class _Nearest:
    """The places of a pair in its lists, and its distance from the bound."""

    one: int
    other: int
    distance: float


def _nearest(pairs: _Pairs, depth: float, distance: float) -> _Nearest:
    """A pair that keeps all rows, nearer to the bound than `distance`, where there is one.

    Where any is nearer than `depth`, the nearest.
    """
    nearest = _Nearest(0, 0, distance)
    ones, others = np.arange(len(pairs.one.regret)), np.arange(len(pairs.other.regret))
    if pairs.count <= _ALL_PAIRS:
        return _all_pairs(pairs, ones, others, nearest)
    if not np.isfinite(distance):
        some = int(_ALL_PAIRS**0.5)
        nearest = _all_pairs(pairs, ones[:some], others[:some], nearest)
    if nearest.distance > pairs.near > depth:
        return _within(pairs, ones, others, pairs.near, nearest)
    # What takes more than half of the depth meets only what takes less.
    low_one = np.searchsorted(pairs.one.regret, depth / 2, side="right")
    low_other = np.searchsorted(pairs.other.regret, depth / 2, side="right")
    nearest = _within(pairs, ones, others[:low_other], depth, nearest)
    return _within(pairs, ones[:low_one], others[low_other:], depth, nearest)


def _all_pairs(pairs: _Pairs, ones: Integers, others: Integers, nearest: _Nearest) -> _Nearest:
    for some in np.array_split(ones, 1 + len(ones) * len(others) // _CHUNK):
        one, other = np.repeat(some, len(others)), np.tile(others, len(some))
        nearest = _nearer(pairs, one, other, nearest)
    return nearest


def _nearer(pairs: _Pairs, one: Integers, other: Integers, nearest: _Nearest) -> _Nearest:
    """The nearest of these pairs that keeps all rows, where that is nearer."""
    if not len(one):
        return nearest
    left = pairs.wanted[one] - pairs.other.taken_of_rows[other]
    distances = pairs.one.regret[one] + pairs.other.regret[other] + left @ pairs.multipliers
    distances[(left < -_ROUNDING).any(axis=1)] = np.inf
    best = int(distances.argmin())
    if distances[best] >= nearest.distance:
        return nearest
    return _Nearest(int(one[best]), int(other[best]), float(distances[best]))


@dataclass(frozen=True, eq=False)
class _Grid:
    """Partial choices in boxes over what they take of up to three rows, those of most spread.

    A box is as wide as what a pair within the depth may leave of its row; `keys` [partial choices]
    rise, and are the box's number and the part of the depth that the regret is.
    """

    rows: Integers
    origin: Array
    width: Array
    sizes: Integers
    units: Integers
    keys: Array
    members: Integers


def _grid(pairs: _Pairs, others: Integers, depth: float) -> _Grid:
    taken = pairs.other.taken_of_rows[others]
    spread = np.ptp(taken, axis=0)
    worth = pairs.multipliers * spread
    rows = np.argsort(-worth, kind="stable")[:3]
    rows = rows[worth[rows] > depth]
    origin = taken[:, rows].min(axis=0)
    width = np.maximum(_MARGIN * depth / pairs.multipliers[rows], spread[rows] / 1_000)
    boxes = np.floor((taken[:, rows] - origin) / width).astype(np.int64)
    sizes = boxes.max(axis=0) + 1
    units = np.cumprod(np.concatenate([[1], sizes]))[:-1].astype(np.int64)
    keys = boxes @ units + pairs.other.regret[others] / depth / 2
    order = np.argsort(keys, kind="stable")
    return _Grid(rows, origin, width, sizes, units, keys[order], others[order])


def _within(
    pairs: _Pairs, ones: Integers, others: Integers, depth: float, nearest: _Nearest
) -> _Nearest:
    """The nearest pair of these, where any is nearer than `depth`, or one that is near enough."""
    if depth == 0 or not len(ones) or not len(others):
        return nearest
    grid = _grid(pairs, others, depth)
    # A pair leaves of a row nothing below 0 and at most a box's width: two boxes on each axis.
    upper = pairs.wanted[ones][:, grid.rows] + 2 * _ROUNDING - grid.origin
    upper_boxes = np.floor(upper / grid.width).astype(np.int64)
    for below in np.ndindex(*(2,) * len(grid.rows)):
        boxes = upper_boxes - np.array(below, np.int64)
        inside = np.flatnonzero(((boxes >= 0) & (boxes < grid.sizes)).all(axis=1))
        first = boxes[inside] @ grid.units
        room = min(depth, nearest.distance) * _MARGIN - pairs.one.regret[ones[inside]]
        begin = np.searchsorted(grid.keys, first)
        end = np.searchsorted(grid.keys, first + room.clip(0) / depth / 2 + 1e-6, side="right")
        nearest = _of_ranges(pairs, ones[inside], grid.members, begin, end, nearest)
    return nearest


def _of_ranges(
    pairs: _Pairs,
    ones: Integers,
    members: Integers,
    begin: Integers,
    end: Integers,
    nearest: _Nearest,
) -> _Nearest:
    """The nearest pair of each of `ones` with the members from its `begin` to its `end`."""
    counts = end - begin
    some = np.flatnonzero(counts > 0)
    chunk = np.cumsum(counts[some]) // _CHUNK
    for part in np.split(some, np.flatnonzero(np.diff(chunk)) + 1):
        if nearest.distance <= pairs.near:
            break
        count = counts[part]
        skipped = np.cumsum(count) - count
        place = np.arange(count.sum()) - np.repeat(skipped - begin[part], count)
        nearest = _nearer(pairs, np.repeat(ones[part], count), members[place], nearest)
    return nearest
