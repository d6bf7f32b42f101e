"""Offsets for blocks with lifetimes (dynamic storage allocation).

Greedy orders first; where none of them meets the lower bound, a branch and bound over the orders
in which blocks are stacked. Some optimal assignment is always found by taking the blocks in the
order of their offsets and putting each at the lowest place that is free, so that search is exact
when it ends within its limit. Deterministic: the limit counts trials, not time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

SEARCH_LIMIT_BLOCKS = 100
SEARCH_LIMIT_TRIALS = 50_000


@dataclass(frozen=True)
class Block:
    """Bytes that must not move or be overwritten from step `first` to `last`, both included."""

    size_bytes: int
    first: int
    last: int

    def meets(self, other: Block) -> bool:
        """Whether both are live at some step."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Placement:
    """Offset of each block, the bytes they need together, and whether fewer are impossible."""

    offset_bytes: tuple[int, ...]
    arena_bytes: int
    proven_optimal: bool


def _round_up(value: int, alignment: int) -> int:
    return -(-value // alignment) * alignment


def lower_bound_bytes(blocks: Sequence[Block], alignment_bytes: int) -> tuple[int, int]:
    """The most bytes live at one step, alignment included, and the first step where that is so.

    Blocks live together lie above one another, each on an aligned offset; only the last of them can
    save the bytes that round its size up.
    """
    best, best_step = 0, 0
    for step in sorted({block.first for block in blocks}):
        sizes = [b.size_bytes for b in blocks if b.first <= step <= b.last]
        rounded = [_round_up(size, alignment_bytes) for size in sizes]
        saved = max(r - size for r, size in zip(rounded, sizes, strict=True))
        if sum(rounded) - saved > best:
            best, best_step = sum(rounded) - saved, step
    return best, best_step


def _lowest_gap(size: int, taken: list[tuple[int, int]], alignment: int, start: int = 0) -> int:
    """Lowest aligned offset from `start` where `size` bytes meet none of the sorted spans."""
    offset = start
    for low, high in taken:
        if offset + size <= low:
            break
        offset = max(offset, _round_up(high, alignment))
    return offset


def _place_in_order(blocks: Sequence[Block], order: Sequence[int], alignment: int) -> list[int]:
    offsets = [0] * len(blocks)
    placed: list[int] = []
    for index in order:
        taken = sorted(
            (offsets[p], offsets[p] + blocks[p].size_bytes)
            for p in placed
            if blocks[p].meets(blocks[index])
        )
        offsets[index] = _lowest_gap(blocks[index].size_bytes, taken, alignment)
        placed.append(index)
    return offsets


def _arena(blocks: Sequence[Block], offsets: Sequence[int]) -> int:
    return max((o + b.size_bytes for o, b in zip(offsets, blocks, strict=True)), default=0)


_Order = Callable[[Block], tuple[int, ...]]

GREEDY_ORDERS: dict[str, _Order] = {
    "size": lambda b: (-b.size_bytes, b.first),
    "lifetime": lambda b: (-(b.last - b.first), -b.size_bytes, b.first),
    "area": lambda b: (-(b.last - b.first + 1) * b.size_bytes, b.first),
    "first step": lambda b: (b.first, -b.size_bytes),
    "last step": lambda b: (-b.last, -b.size_bytes),
}


def _conflict_order(blocks: Sequence[Block]) -> list[int]:
    """Blocks that are live together with the most bytes come first."""
    pressure = [sum(o.size_bytes for o in blocks if o.meets(b)) for b in blocks]
    return sorted(range(len(blocks)), key=lambda i: (-pressure[i], -blocks[i].size_bytes, i))


def greedy(blocks: Sequence[Block], alignment_bytes: int) -> list[int]:
    """The best assignment of several greedy orders."""
    orders = [
        sorted(range(len(blocks)), key=lambda i, key=key: (*key(blocks[i]), i))  # type: ignore[misc]
        for key in GREEDY_ORDERS.values()
    ]
    orders.append(_conflict_order(blocks))
    candidates = [_place_in_order(blocks, order, alignment_bytes) for order in orders]
    return min(candidates, key=lambda offsets: _arena(blocks, offsets))


class _Search:
    """Depth-first search over stacking orders; offsets never decrease along a branch."""

    def __init__(self, blocks: Sequence[Block], alignment: int, start: list[int], bound: int):
        self.blocks = blocks
        self.alignment = alignment
        self.bound = bound
        self.best = start
        self.best_bytes = _arena(blocks, start)
        self.trials = 0
        self.offsets = [-1] * len(blocks)

    @property
    def finished_early(self) -> bool:
        return self.trials >= SEARCH_LIMIT_TRIALS

    def _offset_from(self, index: int, start: int) -> int:
        self.trials += 1
        block = self.blocks[index]
        taken = sorted(
            (offset, offset + other.size_bytes)
            for offset, other in zip(self.offsets, self.blocks, strict=True)
            if offset >= 0 and other.meets(block)
        )
        return _lowest_gap(block.size_bytes, taken, self.alignment, start)

    def _moves(self, open_blocks: frozenset[int], start: int) -> list[tuple[int, int]] | None:
        """(offset, block) that can come next, or None where some block can no longer fit."""
        moves = []
        seen: set[Block] = set()
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
            self.descend(open_blocks - {index}, offset)
            self.offsets[index] = -1


def place(blocks: Sequence[Block], alignment_bytes: int) -> Placement:
    """Offsets for all blocks: greedy, then exact within the search limit where that may help."""
    bound, _ = lower_bound_bytes(blocks, alignment_bytes)
    offsets = greedy(blocks, alignment_bytes)
    arena = _arena(blocks, offsets)
    if arena == bound or len(blocks) > SEARCH_LIMIT_BLOCKS:
        return Placement(tuple(offsets), arena, proven_optimal=arena == bound)
    search = _Search(blocks, alignment_bytes, offsets, bound)
    search.descend(frozenset(range(len(blocks))), 0)
    return Placement(
        offset_bytes=tuple(search.best),
        arena_bytes=search.best_bytes,
        proven_optimal=not search.finished_early or search.best_bytes == bound,
    )
