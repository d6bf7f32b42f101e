"""Offsets for blocks with lifetimes (dynamic storage allocation).

Greedy orders first; where none of them meets the lower bound, a branch and bound over the orders
in which blocks are stacked. Some optimal assignment of plain blocks is always found by taking them
in the order of their offsets and putting each at the lowest place that is free, so that search is
exact for them when it ends within its limit; clusters are optimal where the bound is met.
Deterministic: the limit counts trials, not time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

SEARCH_LIMIT_BLOCKS = 100
SEARCH_LIMIT_TRIALS = 50_000


@dataclass(frozen=True, order=True)
class Block:
    """Bytes that must not move or be overwritten from step `first` to `last`, both included."""

    size_bytes: int
    first: int
    last: int

    @property
    def parts(self) -> tuple[tuple[int, Block], ...]:
        """It is its only part."""
        return ((0, self),)

    def meets(self, other: Block) -> bool:
        """Whether both are live at some step."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Cluster:
    """Blocks at fixed distances, such as tensors that overwrite each other: (offset, block) each.

    The lowest offset is 0 and all are multiples of the alignment. Parts may overlap one another.
    """

    parts: tuple[tuple[int, Block], ...]

    @property
    def size_bytes(self) -> int:
        """From its lowest to its highest byte, whenever they are live."""
        return max(offset + block.size_bytes for offset, block in self.parts)

    @property
    def first(self) -> int:
        """The first step of all parts."""
        return min(block.first for _, block in self.parts)

    @property
    def last(self) -> int:
        """The last step of all parts."""
        return max(block.last for _, block in self.parts)


Item = Block | Cluster


@dataclass(frozen=True)
class Placement:
    """Offset of each item, the bytes they need together, and whether fewer are impossible."""

    offset_bytes: tuple[int, ...]
    arena_bytes: int
    proven_optimal: bool


def _round_up(value: int, alignment: int) -> int:
    return -(-value // alignment) * alignment


def lower_bound_bytes(items: Sequence[Item], alignment_bytes: int) -> tuple[int, int]:
    """The most bytes live at one step, alignment included, and the first step where that is so.

    Items live together lie above one another, each on an aligned offset; only the last of them can
    save the bytes that round its size up. Nor can the arena be smaller than a cluster's reach.
    """
    best, best_step = 0, 0
    for step in sorted({block.first for item in items for _, block in item.parts}):
        bound = step_bound_bytes(items, step, alignment_bytes)
        if bound > best:
            best, best_step = bound, step
    return max([best, *(item.size_bytes for item in items)]), best_step


def step_bound_bytes(items: Iterable[Item], step: int, alignment_bytes: int) -> int:
    """The bytes that items need at least at one step."""
    taken = [_live_bytes(item, step, alignment_bytes) for item in items]
    return sum(size for size, _ in taken) - max((saved for _, saved in taken), default=0)


def _live_bytes(item: Item, step: int, alignment: int) -> tuple[int, int]:
    """Bytes of an item at a step with each part rounded up, and the most that one was rounded."""
    total, saved, end = 0, 0, 0
    for offset, block in item.parts:
        if block.first <= step <= block.last:
            rounded = _round_up(block.size_bytes, alignment)
            total += max(offset + rounded - max(offset, end), 0)
            end = max(end, offset + rounded)
            saved = max(saved, rounded - block.size_bytes)
    return total, saved


def _lowest_gap(forbidden: list[tuple[int, int]], alignment: int, start: int = 0) -> int:
    """Lowest aligned offset from `start` that lies in none of the sorted open intervals."""
    offset = start
    for low, high in forbidden:
        if low < offset < high:
            offset = _round_up(high, alignment)
    return offset


_Conflicts = Sequence[Sequence[tuple[tuple[int, int], ...]]]
"""For two items, open intervals of the first one's offset, less the other's, where they meet."""


def _conflicts(items: Sequence[Item]) -> _Conflicts:
    return [
        [
            tuple(
                (low - offset - block.size_bytes, low + other.size_bytes - offset)
                for low, other in fixed.parts
                for offset, block in item.parts
                if block.meets(other)
            )
            for fixed in items
        ]
        for item in items
    ]


def _place_in_order(
    items: Sequence[Item], conflicts: _Conflicts, order: Sequence[int], alignment: int
) -> list[int]:
    offsets = [0] * len(items)
    placed: list[int] = []
    for index in order:
        forbidden = sorted(
            (offsets[other] + low, offsets[other] + high)
            for other in placed
            for low, high in conflicts[index][other]
        )
        offsets[index] = _lowest_gap(forbidden, alignment)
        placed.append(index)
    return offsets


def _arena(items: Sequence[Item], offsets: Sequence[int]) -> int:
    return max((o + b.size_bytes for o, b in zip(offsets, items, strict=True)), default=0)


_Order = Callable[[Item], tuple[int, ...]]

GREEDY_ORDERS: dict[str, _Order] = {
    "size": lambda b: (-b.size_bytes, b.first),
    "lifetime": lambda b: (-(b.last - b.first), -b.size_bytes, b.first),
    "area": lambda b: (-(b.last - b.first + 1) * b.size_bytes, b.first),
    "first step": lambda b: (b.first, -b.size_bytes),
    "last step": lambda b: (-b.last, -b.size_bytes),
}


def _conflict_order(blocks: Sequence[Item]) -> list[int]:
    """Items that are live together with the most bytes come first."""
    pressure = [
        sum(o.size_bytes for o in blocks if o.first <= b.last and b.first <= o.last) for b in blocks
    ]
    return sorted(range(len(blocks)), key=lambda i: (-pressure[i], -blocks[i].size_bytes, i))


def greedy(blocks: Sequence[Item], alignment_bytes: int) -> list[int]:
    """The best assignment of several greedy orders."""
    orders = [
        sorted(range(len(blocks)), key=lambda i, key=key: (*key(blocks[i]), i))  # type: ignore[misc]
        for key in GREEDY_ORDERS.values()
    ]
    orders.append(_conflict_order(blocks))
    conflicts = _conflicts(blocks)
    candidates = [_place_in_order(blocks, conflicts, order, alignment_bytes) for order in orders]
    return min(candidates, key=lambda offsets: _arena(blocks, offsets))


class _Search:
    """Depth-first search over stacking orders; offsets never decrease along a branch."""

    def __init__(self, blocks: Sequence[Item], alignment: int, start: list[int], bound: int):
        self.blocks = blocks
        self.alignment = alignment
        self.bound = bound
        self.best = start
        self.best_bytes = _arena(blocks, start)
        self.trials = 0
        self.conflicts = _conflicts(blocks)
        self.placed: list[int] = []
        self.offsets = [-1] * len(blocks)

    @property
    def finished_early(self) -> bool:
        return self.trials >= SEARCH_LIMIT_TRIALS

    def _offset_from(self, index: int, start: int) -> int:
        self.trials += 1
        conflicts, offsets = self.conflicts[index], self.offsets
        forbidden = sorted(
            (offsets[other] + low, offsets[other] + high)
            for other in self.placed
            for low, high in conflicts[other]
        )
        return _lowest_gap(forbidden, self.alignment, start)

    def _moves(self, open_blocks: frozenset[int], start: int) -> list[tuple[int, int]] | None:
        """(offset, block) that can come next, or None where some block can no longer fit."""
        moves = []
        seen: set[Item] = set()
        for index in sorted(open_blocks):
            offset = self._offset_from(index, start)
            if offset + self.blocks[index].size_bytes >= self.best_bytes:
                return None
            if self.blocks[index] not in seen:
                seen.add(self.blocks[index])
                moves.append((offset, index))
        return sorted(moves, key=lambda m: (m[0], -self.blocks[m[1]].size_bytes, m[1]))

    def descend(self, open_blocks: frozenset[int], start: int) -> None:
        if self.finished_early or self.best_bytes == self.bound:
            return
        if not open_blocks:
            self.best = list(self.offsets)
            self.best_bytes = _arena(self.blocks, self.best)
            return
        moves = self._moves(open_blocks, start)
        if moves is None:
            return
        for offset, index in moves:
            self.offsets[index] = offset
            self.placed.append(index)
            self.descend(open_blocks - {index}, offset)
            self.placed.pop()


def place(items: Sequence[Item], alignment_bytes: int) -> Placement:
    """Offsets for all items: greedy, then exact within the search limit where that may help."""
    bound, _ = lower_bound_bytes(items, alignment_bytes)
    offsets = greedy(items, alignment_bytes)
    arena = _arena(items, offsets)
    if arena == bound or len(items) > SEARCH_LIMIT_BLOCKS:
        return Placement(tuple(offsets), arena, proven_optimal=arena == bound)
    search = _Search(items, alignment_bytes, offsets, bound)
    search.descend(frozenset(range(len(items))), 0)
    plain = all(isinstance(item, Block) for item in items)
    return Placement(
        offset_bytes=tuple(search.best),
        arena_bytes=search.best_bytes,
        proven_optimal=search.best_bytes == bound or (plain and not search.finished_early),
    )
