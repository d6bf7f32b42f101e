"""How a graph runs and where everything lies: nodes alone, or in segments that run row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType

from edgeflow.backends.firmware.kernel_set import KernelLibrary
from edgeflow.backends.firmware.planner import MemoryPlan, plan
from edgeflow.backends.firmware.rows import band_layer, bands
from edgeflow.backends.firmware.segment import Overlap, Segment, SegmentPlan, plan_segment
from edgeflow.backends.firmware.sharing import Step, lifetimes_of, node_step
from edgeflow.graph.ir import Graph, Node


@dataclass(frozen=True, eq=False)
class PlacedSegment:
    """A segment, and where its row buffers and its kernels' working memory lie in the arena."""

    plan: SegmentPlan
    buffer_offset_bytes: Mapping[str, int]
    scratch_offset_bytes: int


@dataclass(frozen=True, eq=False)
class Arrangement:
    """The memory plan, one step a node or segment, and the segments by the name of their step."""

    memory: MemoryPlan
    segments: Mapping[str, PlacedSegment]


class Workspace:
    """What the steps of a graph need with one kernel set; what was found once is kept."""

    def __init__(self, graph: Graph, kernels: KernelLibrary) -> None:
        self.graph = graph
        self.kernels = kernels
        self.node_step = cache(self._node_step)
        self.segment_plan = cache(self._segment_plan)
        self.band_scratch_bytes = cache(self._band_scratch_bytes)
        self.set_up_instructions = cache(self._set_up_instructions)
        self.lifetimes = lifetimes_of(graph, [node_step(node) for node in graph.nodes])

    def steps(self, segments: Sequence[Segment]) -> tuple[Step, ...]:
        """All nodes in order, those of segments as one step each."""
        starts = {segment.first: segment for segment in segments}
        found = []
        index = 0
        while index < len(self.graph.nodes):
            if index in starts:
                found.append(self.segment_step(starts[index]))
                index = starts[index].last + 1
            else:
                found.append(self.node_step(index))
                index += 1
        return tuple(found)

    def _node_step(self, index: int) -> Step:
        node = self.graph.nodes[index]
        distance = self.kernels.overlap_bytes(self.graph, node)
        given = [Overlap(node.inputs[0], node.outputs[0], distance)] if distance is not None else []
        scratch = self.kernels.scratch_bytes(self.graph, node)
        return Step(node.name, node.kind, node.inputs, node.outputs, tuple(given), scratch)

    def _segment_plan(self, segment: Segment) -> SegmentPlan:
        return plan_segment(self.graph, segment)

    def segment_step(self, segment: Segment) -> Step:
        """The step of a segment: its row buffers and its kernels' memory are working memory."""
        found = self.segment_plan(segment)
        overlaps = tuple(
            replace(o, distance_bytes=self._aligned(o.distance_bytes)) for o in found.overlaps
        )
        _, scratch_at = self.buffer_places(found)
        scratch = scratch_at + self.kernel_bytes(segment)
        return Step(found.name, None, found.inputs, found.outputs, overlaps, scratch)

    def buffer_places(self, found: SegmentPlan) -> tuple[dict[str, int], int]:
        """Where the row buffers of a segment lie in its working memory, and where they end."""
        places, at = {}, 0
        for name, buffer in found.buffers.items():
            places[name] = at
            at += self._aligned(buffer.size_bytes)
        return places, at

    def kernel_bytes(self, segment: Segment) -> int:
        """Working memory of the kernels of a segment, which take turns."""
        indices = range(segment.first, segment.last + 1)
        return max(self.band_scratch_bytes(index, segment.rows) for index in indices)

    def _band_scratch_bytes(self, index: int, rows: int) -> int:
        node = self.graph.nodes[index]
        shapes = {band.shape: band for band in bands(self.graph, node, rows)}
        layers = [band_layer(self.graph, node, band) for band in shapes.values()]
        return max(self.kernels.scratch_bytes(*layer) for layer in layers)

    def _set_up_instructions(self, index: int, rows: int) -> int:
        """What the calls of a node for bands of rows cost beside the rows, all together."""
        node = self.graph.nodes[index]
        parts = list(bands(self.graph, node, rows))
        times = Counter(part.shape for part in parts)
        return sum(
            times[part.shape]
            * self.kernels.set_up_instructions(*band_layer(self.graph, node, part))
            for part in {part.shape: part for part in parts}.values()
        )

    def _aligned(self, size_bytes: int) -> int:
        alignment = self.kernels.alignment_bytes
        return -(-size_bytes // alignment) * alignment


def arrange(graph: Graph, kernels: KernelLibrary, segments: Sequence[Segment] = ()) -> Arrangement:
    """Place everything that a checked graph needs when these segments of it run row by row."""
    workspace = Workspace(graph, kernels)
    memory = plan(graph, workspace.steps(segments), alignment_bytes=kernels.alignment_bytes)
    placed = {}
    for segment in segments:
        found = workspace.segment_plan(segment)
        places, scratch_at = workspace.buffer_places(found)
        start = memory.scratch_offset_bytes.get(found.name, 0)
        placed[found.name] = PlacedSegment(
            plan=found,
            buffer_offset_bytes=MappingProxyType({n: start + at for n, at in places.items()}),
            scratch_offset_bytes=start + scratch_at,
        )
    return Arrangement(memory, MappingProxyType(placed))


def nodes_of(arrangement: Arrangement, graph: Graph) -> tuple[tuple[Node, ...], ...]:
    """The nodes of each step."""
    by_name = {node.name: (node,) for node in graph.nodes}
    return tuple(
        tuple(arrangement.segments[step.name].plan.segment.nodes(graph).values())
        if step.name in arrangement.segments
        else by_name[step.name]
        for step in arrangement.memory.steps
    )
