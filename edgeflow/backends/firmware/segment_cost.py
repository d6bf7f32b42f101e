"""What a segment needs of RAM while it runs, and the instructions that it adds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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

# Fitted to counts of a Cortex-M4: to find the next band and call its layer; to move a byte.
_DECISION = 100
_MOVE = 0.3


def added_instructions(workspace: Workspace, segment: Segment) -> int:
    """An estimate of what the layers of a segment take more than each one whole."""
    added = 0.0
    for index, node in segment.nodes(workspace.graph).items():
        rows = height(workspace.graph.tensors[node.outputs[0]])
        added += workspace.set_up_instructions(index, segment.rows)
        added -= workspace.set_up_instructions(index, rows)
        added += -(-rows // segment.rows) * _DECISION
    return round(added + sum(_MOVE * moved for moved, _ in _inner_rows(workspace, segment)))


def own_bytes(workspace: Workspace, segment: Segment) -> int:
    """The arena that a segment needs at least while it runs."""
    whole = _whole_tensors(workspace, segment)
    return _step_bytes(workspace, workspace.segment_step(segment), whole)


def node_bytes(workspace: Workspace, index: int) -> int:
    """The arena that a node alone needs at least while it runs."""
    lives = workspace.lifetimes.items()
    live = [name for name, life in lives if life.first <= index <= life.last]
    return _step_bytes(workspace, workspace.node_step(index), live)


def _step_bytes(workspace: Workspace, step: Step, live: Sequence[str]) -> int:
    """Live tensors and working memory, less what sharing storage can save."""
    graph = workspace.graph
    overlaps = list(step.overlaps)
    if step.kind in ELEMENTWISE_KINDS or step.kind is OpKind.RESHAPE:
        overlaps += [Overlap(name, step.outputs[0], 0) for name in step.inputs if name in live]
    saved = max((saved_bytes(graph, overlap) for overlap in overlaps), default=0)
    return sum(tensor_bytes(graph.tensors[name]) for name in live) + step.scratch_bytes - saved


def least_bytes(workspace: Workspace, segment: Segment) -> int:
    """A lower bound of `own_bytes` that needs no schedule."""
    graph, whole = workspace.graph, _whole_tensors(workspace, segment)
    nodes = segment.nodes(graph).values()
    read = {name for node in nodes for name in image_inputs(graph, node) if name in whole}
    made = {node.outputs[0] for node in nodes} & set(whole)
    given = max((tensor_bytes(graph.tensors[name]) for name in read - made), default=0)
    taken = max((tensor_bytes(graph.tensors[name]) for name in made), default=0)
    buffers = sum(least for _, least in _inner_rows(workspace, segment))
    kernels = workspace.kernel_bytes(segment)
    live = sum(tensor_bytes(graph.tensors[name]) for name in whole)
    return live + buffers + kernels - min(given, taken)


def _whole_tensors(workspace: Workspace, segment: Segment) -> list[str]:
    """Tensors that are whole in RAM at some time while a segment runs."""
    inner = set(_inner_tensors(workspace, segment))
    return [
        name
        for name, life in workspace.lifetimes.items()
        if name not in inner and life.first <= segment.last and life.last >= segment.first
    ]


def _inner_tensors(workspace: Workspace, segment: Segment) -> list[str]:
    nodes = segment.nodes(workspace.graph).values()
    names = [node.outputs[0] for node in nodes]
    return [name for name in names if workspace.lifetimes[name].last <= segment.last]


def _inner_rows(workspace: Workspace, segment: Segment) -> Iterator[tuple[int, int]]:
    """For each tensor within a segment, bytes that move about, and bytes that it keeps at least.

    Rows that an element-by-element layer alone reads lie where it writes, and take none.
    """
    graph = workspace.graph
    nodes = segment.nodes(graph).values()
    for name in _inner_tensors(workspace, segment):
        size, rows = row_bytes(graph.tensors[name]), height(graph.tensors[name])
        windows = [row_window(graph, node) for node in nodes if name in node.inputs]
        moved = kept = 0
        for window in windows:
            assert window is not None
            bands_ = -(-rows // segment.rows)
            moved = max(moved, bands_ * size * max(window.extent - window.stride, 0))
            if window.extent > 1:
                kept = max(kept, (segment.rows - 1) * window.stride + window.extent)
        yield moved, min(kept, rows) * size
