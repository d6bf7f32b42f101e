"""Which layers run row by row: the segments that reach a goal of RAM for the fewest instructions.

Candidates are the segments that hold the node which needs most of the arena; the others cannot
lower it. Their bounds and costs are estimated, the best are planned. Then the next peak, until the
goal is reached or nothing helps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace

from edgeflow.backends.firmware.arrangement import Workspace
from edgeflow.backends.firmware.kernel_set import library
from edgeflow.backends.firmware.options import RowExecution
from edgeflow.backends.firmware.planner import plan
from edgeflow.backends.firmware.rows import row_window
from edgeflow.backends.firmware.segment import Segment
from edgeflow.backends.firmware.segment_cost import (
    added_instructions,
    least_bytes,
    node_bytes,
    own_bytes,
)
from edgeflow.graph import cost
from edgeflow.graph.ir import Graph
from edgeflow.targets.schema import KernelSet

ALMOST_FREE = 0.02
"""The share of instructions that row by row execution may add without being asked for."""

ROWS_AT_A_TIME = (1, 2, 3, 4)
_LONGEST_SEGMENT = 32
_INSTRUCTIONS_PER_ELEMENT = 10


@dataclass(frozen=True)
class _Candidate:
    """A segment with the arena that it is estimated to give, and what it adds."""

    segment: Segment
    arena_bytes: int
    added_instructions: int


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
    workspace = Workspace(graph, library(kernel_set))
    if rows is RowExecution.NEVER:
        return ()
    if rows is RowExecution.LEAST_RAM:
        return _shrink(workspace, goal_bytes=0, limit=math.inf)
    cheap = _shrink(workspace, goal_bytes=0, limit=ALMOST_FREE * _instructions(workspace))
    if arena_limit_bytes is None or _arena_bytes(workspace, cheap) <= arena_limit_bytes:
        return cheap
    return _shrink(workspace, goal_bytes=arena_limit_bytes, limit=math.inf)


def trade_offs(graph: Graph, kernel_set: KernelSet) -> Iterator[tuple[Segment, ...]]:
    """Segments for less and less arena, each for the fewest instructions; at first none."""
    workspace = Workspace(graph, library(kernel_set))
    chosen: tuple[Segment, ...] = ()
    arena = None
    while arena is None or _arena_bytes(workspace, chosen) < arena:
        yield chosen
        arena = _arena_bytes(workspace, chosen)
        chosen = _shrink(workspace, goal_bytes=arena - 1, limit=math.inf)


def _instructions(workspace: Workspace) -> float:
    """A rough estimate for the whole network."""
    graph, total = workspace.graph, 0.0
    for node in graph.nodes:
        macs = cost.macs(graph, node)
        elements = math.prod(graph.tensors[node.outputs[0]].shape)
        total += macs * workspace.kernels.instructions_per_mac
        total += 0 if macs else elements * _INSTRUCTIONS_PER_ELEMENT
    return total


def _arena_bytes(workspace: Workspace, segments: Sequence[Segment]) -> int:
    alignment = workspace.kernels.alignment_bytes
    return plan(workspace.graph, workspace.steps(segments), alignment_bytes=alignment).arena_bytes


def _shrink(workspace: Workspace, goal_bytes: int, limit: float) -> tuple[Segment, ...]:
    """Add segments at the peak while the arena is above the goal, each for what is left to add."""
    chosen: tuple[Segment, ...] = ()
    arena = _arena_bytes(workspace, chosen)
    while arena > goal_bytes:
        found = _improvement(workspace, chosen, arena, goal_bytes, limit)
        if found is None:
            break
        chosen = _with(chosen, found.segment)
        limit -= found.added_instructions
        arena = found.arena_bytes
    return chosen


def _with(chosen: Sequence[Segment], segment: Segment) -> tuple[Segment, ...]:
    return tuple(sorted((*chosen, segment), key=lambda s: s.first))


def _improvement(
    workspace: Workspace,
    chosen: Sequence[Segment],
    arena_bytes: int,
    goal_bytes: int,
    limit: float,
) -> _Candidate | None:
    """The cheapest segment that reaches the goal, or else the one that saves most; planned."""
    best = None
    for candidate in _front(workspace, chosen):
        if candidate.added_instructions > limit:
            continue
        arena = _arena_bytes(workspace, _with(chosen, candidate.segment))
        found = replace(candidate, arena_bytes=arena)
        if arena <= goal_bytes:
            return found
        if arena < (best.arena_bytes if best else arena_bytes):
            best = found
    return best


def _front(workspace: Workspace, chosen: Sequence[Segment]) -> list[_Candidate]:
    """Segments of which none needs more arena and more instructions than another, cheap first."""
    graph = workspace.graph
    taken = {index for segment in chosen for index in segment.nodes(graph)}
    by_node = {i: node_bytes(workspace, i) for i in range(len(graph.nodes)) if i not in taken}
    in_segments = [own_bytes(workspace, segment) for segment in chosen]
    peak = max(by_node, key=by_node.__getitem__, default=None)
    if peak is None or by_node[peak] <= max(in_segments, default=0):
        return []
    candidates = sorted(
        _candidates(workspace, taken, peak),
        key=lambda s: (added_instructions(workspace, s), s.first, s.last, s.rows),
    )
    front: list[_Candidate] = []
    smallest = by_node[peak]
    for segment in candidates:
        if least_bytes(workspace, segment) >= smallest:
            continue
        outside = [n for i, n in by_node.items() if not segment.first <= i <= segment.last]
        arena = max(own_bytes(workspace, segment), *outside, *in_segments, 0)
        if arena < smallest:
            smallest = arena
            front.append(_Candidate(segment, arena, added_instructions(workspace, segment)))
    return front


def _candidates(workspace: Workspace, taken: Set[int], peak: int) -> Iterator[Segment]:
    """Segments of at least two layers around a node, without those nodes that are taken."""
    graph = workspace.graph
    free = [
        index not in taken and row_window(graph, node) is not None
        for index, node in enumerate(graph.nodes)
    ]
    if not free[peak]:
        return
    first = last = peak
    while first > 0 and free[first - 1]:
        first -= 1
    while last + 1 < len(free) and free[last + 1]:
        last += 1
    for start in range(max(first, peak - _LONGEST_SEGMENT), peak + 1):
        for end in range(max(peak, start + 1), min(last, start + _LONGEST_SEGMENT) + 1):
            for rows in ROWS_AT_A_TIME:
                yield Segment(start, end, rows)
