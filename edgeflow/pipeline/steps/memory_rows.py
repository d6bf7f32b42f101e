"""What the report says about the arena: everything in it, the peak, and what runs row by row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from edgeflow.backends.firmware.arrangement import Arrangement, nodes_of
from edgeflow.backends.firmware.sharing import tensor_bytes
from edgeflow.bundle.summary import ArenaKind, ArenaRow, PeakRow, SegmentRow
from edgeflow.graph.ir import Graph

_Spans = Sequence[tuple[int, int]]


def _layers_of_steps(graph: Graph, arrangement: Arrangement) -> _Spans:
    """The first and the last node of each step."""
    index_of = {node.name: index for index, node in enumerate(graph.nodes)}
    return [
        (index_of[nodes[0].name], index_of[nodes[-1].name])
        for nodes in nodes_of(arrangement, graph)
    ]


def fields(graph: Graph, arrangement: Arrangement) -> dict[str, Any]:
    """The fields of the summary that tell of the arena's plan."""
    memory = arrangement.memory
    return {
        "arena_lower_bound_bytes": memory.lower_bound_bytes,
        "arena_proven_optimal": memory.proven_optimal,
        "arena_peak": peak(graph, arrangement),
        "arena": tuple(arena(graph, arrangement)),
        "row_by_row": segments(arrangement),
    }


def arena(graph: Graph, arrangement: Arrangement) -> Iterable[ArenaRow]:
    """Tensors, rows of tensors and working memory; the input is there before the first layer."""
    memory, spans = arrangement.memory, _layers_of_steps(graph, arrangement)
    for name, offset in memory.offset_bytes.items():
        steps = [step for step, live in enumerate(memory.live) if name in live]
        yield ArenaRow(
            tensor=name,
            offset_bytes=offset,
            size_bytes=tensor_bytes(graph.tensors[name]),
            first_layer=spans[min(steps)][0] if steps else 0,
            last_layer=spans[max(steps)][1] if steps else 0,
        )
    for step, (first, last) in zip(memory.steps, spans, strict=True):
        at = memory.scratch_offset_bytes.get(step.name, 0)
        end = at + step.scratch_bytes
        if step.name in arrangement.segments:
            segment = arrangement.segments[step.name]
            at = segment.scratch_offset_bytes
            for name, buffer in segment.plan.buffers.items():
                yield ArenaRow(
                    tensor=name,
                    kind=ArenaKind.ROWS,
                    offset_bytes=segment.buffer_offset_bytes[name],
                    size_bytes=buffer.size_bytes,
                    first_layer=first,
                    last_layer=last,
                )
        if end > at:
            yield ArenaRow(
                tensor=step.name,
                kind=ArenaKind.SCRATCH,
                offset_bytes=at,
                size_bytes=end - at,
                first_layer=first,
                last_layer=last,
            )


def peak(graph: Graph, arrangement: Arrangement) -> PeakRow:
    """The step that sets the lower bound of the arena."""
    memory = arrangement.memory
    step = memory.steps[memory.peak_step]
    first, last = _layers_of_steps(graph, arrangement)[memory.peak_step]
    segment = arrangement.segments.get(step.name)
    buffers = segment.plan.buffers.values() if segment else ()
    rows = sum(buffer.size_bytes for buffer in buffers)
    return PeakRow(
        first_layer=first,
        last_layer=last,
        operators=", ".join(graph.nodes[index].kind for index in range(first, last + 1)),
        tensors=memory.peak_tensors,
        row_bytes=rows,
        scratch_bytes=step.scratch_bytes - rows,
    )


def segments(arrangement: Arrangement) -> tuple[SegmentRow, ...]:
    """The parts that run row by row."""
    return tuple(
        SegmentRow(
            first_layer=placed.plan.segment.first,
            last_layer=placed.plan.segment.last,
            rows=placed.plan.segment.rows,
            buffer_bytes=sum(buffer.size_bytes for buffer in placed.plan.buffers.values()),
        )
        for placed in arrangement.segments.values()
    )
