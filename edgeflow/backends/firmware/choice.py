"""Which layers run row by row: the segments that reach a goal of RAM for the fewest instructions.

Every node that needs more of the arena than the goal must lie in a segment that does not. Of all
such covers, dynamic programming over the graph's order finds the cheapest; segments count with a
lower bound of their bytes until one is chosen, then with the bytes of their schedule.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgeflow.backends.firmware.arrangement import Workspace
from edgeflow.backends.firmware.kernel_set import library
from edgeflow.backends.firmware.options import RowExecution
from edgeflow.backends.firmware.planner import plan
from edgeflow.backends.firmware.segment import Segment
from edgeflow.backends.firmware.segment_cost import Estimate, estimates, node_bytes, own_bytes
from edgeflow.graph import cost
from edgeflow.graph.ir import Graph
from edgeflow.targets.schema import KernelSet

ALMOST_FREE = 0.02
"""The share of instructions that row by row execution may add without being asked for."""

_INSTRUCTIONS_PER_ELEMENT = 10
_PLANNED = 4  # of the covers found for an effort, the smallest ones are planned
_TRIED = 8  # covers on the way to a limit


def choose_segments(
    graph: Graph,
    kernel_set: KernelSet,
    rows: RowExecution,
    arena_limit_bytes: int | None = None,
) -> tuple[Segment, ...]:
    """The segments of a checked graph to run row by row, in order.

    Args:
        graph: a checked graph.
        kernel_set: whose kernels' working memory and costs count.
        rows: where to run row by row.
        arena_limit_bytes: the arena to reach with `auto`; where that is impossible, the smallest
            that was found.
    """
    if rows is RowExecution.NEVER:
        return ()
    search = _Search(Workspace(graph, library(kernel_set)))
    if rows is RowExecution.LEAST_RAM:
        return search.smallest(math.inf)
    cheap = search.smallest(ALMOST_FREE * _instructions(search.workspace))
    if arena_limit_bytes is None or search.arena_bytes(cheap) <= arena_limit_bytes:
        return cheap
    return search.within(arena_limit_bytes) or search.smallest(math.inf)


def trade_offs(graph: Graph, kernel_set: KernelSet) -> Iterator[tuple[Segment, ...]]:
    """Segments for less and less arena, each for the fewest instructions; at first none."""
    search = _Search(Workspace(graph, library(kernel_set)))
    chosen: tuple[Segment, ...] | None = ()
    while chosen is not None:
        yield chosen
        chosen = search.within(search.arena_bytes(chosen) - 1)


def _instructions(workspace: Workspace) -> float:
    """A rough estimate for the whole network."""
    graph, total = workspace.graph, 0.0
    for node in graph.nodes:
        macs = cost.macs(graph, node)
        elements = math.prod(graph.tensors[node.outputs[0]].shape)
        total += macs * workspace.kernels.instructions_per_mac
        total += 0 if macs else elements * _INSTRUCTIONS_PER_ELEMENT
    return total


@dataclass(frozen=True)
class _Cover:
    """Segments that hold every node above a goal, and the instructions that they add."""

    segments: tuple[Segment, ...]
    added_instructions: float


class _Search:
    """Covers of one graph; what was found out about its segments is kept."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._needs = [node_bytes(workspace, i) for i in range(len(workspace.graph.nodes))]
        highest = max(self._needs, default=0)
        self._ending: dict[int, list[Estimate]] = {}
        self._levels: set[int] = set(self._needs)
        for estimate in estimates(workspace):
            if estimate.least_bytes < highest:
                self._ending.setdefault(estimate.segment.last, []).append(estimate)
                self._levels.add(estimate.least_bytes)
        self._known_bytes: dict[Segment, int] = {}
        self._arenas: dict[tuple[Segment, ...], int] = {}

    def arena_bytes(self, segments: tuple[Segment, ...]) -> int:
        """The arena of a plan with these segments."""
        if segments not in self._arenas:
            steps, alignment = self.workspace.steps(segments), self.workspace.kernels
            found = plan(self.workspace.graph, steps, alignment_bytes=alignment.alignment_bytes)
            self._arenas[segments] = found.arena_bytes
        return self._arenas[segments]

    def smallest(self, limit: float) -> tuple[Segment, ...]:
        """The segments with the smallest arena of those that add no more than the limit."""
        levels = sorted(self._levels)
        low, high = 0, len(levels) - 1
        found: list[_Cover] = []
        while low <= high:
            middle = (low + high) // 2
            cover = self._cover(levels[middle])
            if cover is not None and cover.added_instructions <= limit:
                found.append(cover)
                high = middle - 1
            else:
                low = middle + 1
        covers = dict.fromkeys(cover.segments for cover in reversed(found))
        return min([(), *list(covers)[:_PLANNED]], key=self.arena_bytes)

    def within(self, limit_bytes: int) -> tuple[Segment, ...] | None:
        """The cheapest segments found with an arena up to a limit; None if there are none.

        The plan of a cover may need more than each of its steps; then the next lower cover may do.
        """
        cover = self._cover(limit_bytes)
        for _ in range(_TRIED):
            if cover is None or self.arena_bytes(cover.segments) <= limit_bytes:
                break
            cover = self._cover(self._highest_bytes(cover) - 1)
        met = cover is not None and self.arena_bytes(cover.segments) <= limit_bytes
        return cover.segments if cover is not None and met else None

    def _highest_bytes(self, cover: _Cover) -> int:
        """What the step of a cover that needs most needs."""
        inside = {i for s in cover.segments for i in range(s.first, s.last + 1)}
        alone = [need for index, need in enumerate(self._needs) if index not in inside]
        return max([*alone, *(self._known_bytes[segment] for segment in cover.segments)])

    def _cover(self, goal: int) -> _Cover | None:
        """The cheapest cover; once all of its segments keep to the goal by their schedules."""
        while True:
            cover = self._optimistic_cover(goal)
            unknown = [s for s in cover.segments if s not in self._known_bytes] if cover else []
            if not unknown:
                return cover
            for segment in unknown:
                self._known_bytes[segment] = own_bytes(self.workspace, segment)

    def _optimistic_cover(self, goal: int) -> _Cover | None:
        covers: list[_Cover | None] = [_Cover((), 0.0)]
        for index, need in enumerate(self._needs):
            options = [covers[index]] if need <= goal else []
            for estimate in self._ending.get(index, ()):
                segment = estimate.segment
                before = covers[segment.first]
                if before and self._known_bytes.get(segment, estimate.least_bytes) <= goal:
                    added = before.added_instructions + estimate.added_instructions
                    options.append(_Cover((*before.segments, segment), added))
            reached = [option for option in options if option is not None]
            covers.append(min(reached, key=_rank) if reached else None)
        return covers[-1]


def _rank(cover: _Cover) -> tuple[float, int, Sequence[tuple[int, int, int]]]:
    """Fewest instructions, then fewest segments; the rest makes it deterministic."""
    parts = [(segment.first, segment.last, segment.rows) for segment in cover.segments]
    return cover.added_instructions, len(parts), parts
