"""What segments need of RAM while they run, and the instructions that they add: estimates.

The bytes of a segment follow from its schedule; for all segments at once there is a lower bound
that needs none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgeflow.backends.firmware.arrangement import Workspace
from edgeflow.backends.firmware.rows import (
    ELEMENTWISE_KINDS,
    height,
    image_inputs,
    row_bytes,
    row_window,
)
from edgeflow.backends.firmware.segment import Overlap, Segment
from edgeflow.backends.firmware.sharing import Step, saved_bytes, tensor_bytes
from edgeflow.graph.ir import OpKind

ROWS_AT_A_TIME = (1, 2, 3, 4)
_LONGEST_SEGMENT = 32

# Fitted to counts of a Cortex-M4: to find the next band and call its layer; to move a byte.
_DECISION = 100
_MOVE = 0.3


@dataclass(frozen=True)
class Estimate:
    """A segment, the bytes that it needs at least while it runs, and what it adds."""

    segment: Segment
    least_bytes: int
    added_instructions: float


def node_bytes(workspace: Workspace, index: int) -> int:
    """The arena that a node alone needs at least while it runs."""
    lives = workspace.lifetimes.items()
    live = [name for name, life in lives if life.first <= index <= life.last]
    return _step_bytes(workspace, workspace.node_step(index), live)


def own_bytes(workspace: Workspace, segment: Segment) -> int:
    """The arena that a segment needs at least while it runs."""
    made = {node.outputs[0] for node in segment.nodes(workspace.graph).values()}
    live = [
        name
        for name, life in workspace.lifetimes.items()
        if life.first <= segment.last
        and life.last >= segment.first
        and not (name in made and life.last <= segment.last)
    ]
    return _step_bytes(workspace, workspace.segment_step(segment), live)


def _step_bytes(workspace: Workspace, step: Step, live: Sequence[str]) -> int:
    """Live tensors and working memory, less what sharing storage can save."""
    graph = workspace.graph
    overlaps = list(step.overlaps)
    if step.kind in ELEMENTWISE_KINDS or step.kind is OpKind.RESHAPE:
        overlaps += [Overlap(name, step.outputs[0], 0) for name in step.inputs if name in live]
    saved = max((saved_bytes(graph, overlap) for overlap in overlaps), default=0)
    return sum(tensor_bytes(graph.tensors[name]) for name in live) + step.scratch_bytes - saved


def estimates(workspace: Workspace) -> Iterator[Estimate]:
    """Every segment of two layers or more, up to a length."""
    nodes = workspace.graph.nodes
    streams = [row_window(workspace.graph, node) is not None for node in nodes]
    for first in range(len(nodes) - 1):
        for rows in ROWS_AT_A_TIME:
            growing = _Growing(workspace, first, rows)
            for last in range(first, min(first + _LONGEST_SEGMENT, len(nodes))):
                if not streams[last]:
                    break
                growing.add(last)
                if last > first:
                    yield growing.estimate(last)


class _Growing:
    """A segment to which one layer after another is added."""

    def __init__(self, workspace: Workspace, first: int, rows: int) -> None:
        self.workspace = workspace
        self.first = first
        self.rows = rows
        lives = workspace.lifetimes.items()
        self.before = [name for name, life in lives if life.first < first <= life.last]
        if first == 0:
            self.before = list(workspace.graph.inputs)
        self.open: set[str] = set()
        self.read: set[str] = set()
        self.buffers = 0
        self.kernels = 0
        self.added = 0.0

    def add(self, index: int) -> None:
        """Add the next layer; tensors that nothing after it reads are then within the segment."""
        workspace, rows = self.workspace, self.rows
        node = workspace.graph.nodes[index]
        tall = height(workspace.graph.tensors[node.outputs[0]])
        self.read.update(name for name in image_inputs(workspace.graph, node))
        self.open.add(node.outputs[0])
        self.kernels = max(self.kernels, workspace.band_scratch_bytes(index, rows))
        self.added += workspace.set_up_instructions(index, rows)
        self.added -= workspace.set_up_instructions(index, tall)
        self.added += -(-tall // rows) * _DECISION
        for name in [n for n in self.open if workspace.lifetimes[n].last <= index]:
            self.open.remove(name)
            moved, kept = _rows_within(workspace, name, rows)
            self.added += _MOVE * moved
            self.buffers += kept

    def estimate(self, last: int) -> Estimate:
        """The segment up to the layer that was added last."""
        sizes = {
            name: tensor_bytes(self.workspace.graph.tensors[name])
            for name in (*self.before, *self.open)
        }
        lifetimes = self.workspace.lifetimes
        dying = (n for n in self.before if n in self.read and lifetimes[n].last <= last)
        given = max((sizes[name] for name in dying), default=0)
        taken = max((sizes[name] for name in self.open), default=0)
        return Estimate(
            Segment(self.first, last, self.rows),
            sum(sizes.values()) + self.buffers + self.kernels - min(given, taken),
            max(self.added, 0.0),
        )


def _rows_within(workspace: Workspace, name: str, rows: int) -> tuple[int, int]:
    """Bytes of a tensor within a segment that move about, and that it keeps at least.

    Rows that an element-by-element layer alone reads lie where it writes, and take none.
    """
    graph = workspace.graph
    size, tall = row_bytes(graph.tensors[name]), height(graph.tensors[name])
    moved = kept = 0
    for node in graph.nodes:
        window = row_window(graph, node) if name in node.inputs else None
        if window is None:
            continue
        moved = max(moved, -(-tall // rows) * size * max(window.extent - window.stride, 0))
        if window.extent > 1:
            kept = max(kept, (rows - 1) * window.stride + window.extent)
    return moved, min(kept, tall) * size
