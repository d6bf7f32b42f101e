"""A segment: neighbouring layers that run row by row, and the rows between them that are kept.

Nothing is computed twice. Each tensor between the layers has a buffer of as many rows as its
readers still need; the rows that stay move to its start where the next ones would not fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from edgeflow.backends.firmware.row_schedule import Feed, RowCall, RowLayer, schedule
from edgeflow.backends.firmware.rows import (
    ELEMENTWISE_KINDS,
    RowWindow,
    height,
    image_inputs,
    row_bytes,
    row_window,
)
from edgeflow.graph.ir import Graph, Node


@dataclass(frozen=True)
class Segment:
    """Nodes `first` to `last` of a graph (indices), each making `rows` rows at a time."""

    first: int
    last: int
    rows: int

    def nodes(self, graph: Graph) -> Mapping[int, Node]:
        """Its nodes by their index in the graph."""
        return {index: graph.nodes[index] for index in range(self.first, self.last + 1)}


@dataclass(frozen=True)
class RowBuffer:
    """Room for `capacity` rows of a tensor."""

    row_bytes: int
    capacity: int

    @property
    def size_bytes(self) -> int:
        """Bytes in RAM."""
        return self.row_bytes * self.capacity


@dataclass(frozen=True)
class Overlap:
    """An output that may take the storage of an input, if it starts so many bytes before it."""

    input: str
    output: str
    distance_bytes: int


@dataclass(frozen=True, eq=False)
class SegmentPlan:
    """How a segment runs.

    `inputs` are whole tensors from before it, `outputs` whole tensors that are read after it.
    `home` names, for each tensor that the segment makes, the tensor in whose rows its rows lie: its
    own, or that of the element-by-element layer which reads it. `buffers` are those of the homes
    that are not whole, in the order of the layers. `layers` are keyed by node index, `calls` is the
    whole schedule.
    """

    segment: Segment
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    home: Mapping[str, str]
    buffers: Mapping[str, RowBuffer]
    layers: Mapping[int, RowLayer]
    overlaps: tuple[Overlap, ...]
    calls: tuple[RowCall, ...]
    moved_bytes: int


def can_run_by_rows(graph: Graph, segment: Segment) -> bool:
    """Whether every layer of a segment can run in bands of rows."""
    return all(row_window(graph, node) for node in segment.nodes(graph).values())


def plan_segment(graph: Graph, segment: Segment) -> SegmentPlan:
    """The buffers and the schedule of a segment whose layers can run in bands of rows."""
    nodes = segment.nodes(graph)
    read_after = _read_after(graph, segment)
    made = {node.outputs[0]: index for index, node in nodes.items()}
    read = dict.fromkeys(name for node in nodes.values() for name in image_inputs(graph, node))
    inputs = tuple(name for name in read if name not in made)
    outputs = tuple(name for name in made if name in read_after)
    dying = tuple(name for name in inputs if name not in read_after)
    home = _homes(graph, nodes, outputs, dying)
    trace = _Trace(graph, nodes, _layers(graph, segment, made, outputs))
    buffers = trace.buffers(home, outputs)
    return SegmentPlan(
        segment=segment,
        name=f"rows of {nodes[segment.first].name} to {nodes[segment.last].name}",
        inputs=inputs,
        outputs=outputs,
        home=MappingProxyType(home),
        buffers=MappingProxyType(buffers),
        layers=MappingProxyType(trace.layers),
        overlaps=tuple(
            Overlap(x, y, trace.distance_bytes(home, x, y)) for x in dying for y in outputs
        ),
        calls=tuple(call for call, _ in trace.events),
        moved_bytes=trace.moved_bytes(home, buffers),
    )


def _read_after(graph: Graph, segment: Segment) -> frozenset[str]:
    later = {name for node in graph.nodes[segment.last + 1 :] for name in node.inputs}
    return frozenset(later | set(graph.outputs))


def _window(graph: Graph, node: Node) -> RowWindow:
    window = row_window(graph, node)
    assert window is not None
    return window


def _layers(
    graph: Graph, segment: Segment, made: Mapping[str, int], outputs: Sequence[str]
) -> dict[int, RowLayer]:
    layers = {}
    for index, node in segment.nodes(graph).items():
        images, output = image_inputs(graph, node), node.outputs[0]
        tall = height(graph.tensors[output])
        layers[index] = RowLayer(
            height=tall,
            rows=min(segment.rows, tall),
            feeds=tuple(
                Feed(made[name], _window(graph, node), height(graph.tensors[name]))
                for name in images
                if name in made
            ),
            readers=tuple(i for i, other in segment.nodes(graph).items() if output in other.inputs),
            waits=any(name not in made for name in images),
            is_output=output in outputs,
        )
    return layers


def _homes(
    graph: Graph, nodes: Mapping[int, Node], outputs: Sequence[str], dying: Sequence[str]
) -> dict[str, str]:
    """A tensor that one element-by-element layer alone reads lies where that layer writes.

    Unless that layer is to write over a whole input of the segment, which saves more.
    """
    home = {node.outputs[0]: node.outputs[0] for node in nodes.values()}
    for node in reversed(list(nodes.values())):
        target = node.outputs[0]
        over_input = target in outputs and any(name in dying for name in node.inputs)
        if node.kind not in ELEMENTWISE_KINDS or over_input:
            continue
        for name in reversed(image_inputs(graph, node)):
            reads = [other for other in nodes.values() if name in other.inputs]
            if name in home and name not in outputs and len(reads) == 1:
                home[name] = home[target]
                break
    return home


class _Trace:
    """The schedule of a segment, and what it says about memory."""

    def __init__(
        self, graph: Graph, nodes: Mapping[int, Node], layers: Mapping[int, RowLayer]
    ) -> None:
        self.layers = dict(layers)
        self.events = [(call, dict(made)) for call, made in schedule(self.layers)]
        self._nodes = nodes
        self._tensors = graph.tensors
        self._window = {index: _window(graph, node) for index, node in nodes.items()}
        self._readers: dict[str, list[int]] = {}
        for index, node in nodes.items():
            for name in image_inputs(graph, node):
                self._readers.setdefault(name, []).append(index)

    def _output(self, call: RowCall) -> str:
        return self._nodes[call.layer].outputs[0]

    def _next_needed(self, name: str, made: Mapping[int, int]) -> int:
        """The first row that any reader's next band would read, as the generated C tells it."""
        firsts = [
            made[index] * self._window[index].stride - self._window[index].pad
            for index in self._readers.get(name, ())
        ]
        return max(min(firsts, default=height(self._tensors[name])), 0)

    def _kept(self, home: Mapping[str, str], owner: str) -> list[tuple[RowCall, int]]:
        """Each call that writes rows of an owner, and the first row that must stay then."""
        members = [name for name, place in home.items() if place == owner]
        return [
            (call, min(call.first, *(self._next_needed(name, made) for name in members)))
            for call, made in self.events
            if self._output(call) in members
        ]

    def buffers(self, home: Mapping[str, str], outputs: Sequence[str]) -> dict[str, RowBuffer]:
        """The least room that each owner of rows needs."""
        found = {}
        for owner in dict.fromkeys(home.values()):
            if owner not in outputs:
                kept = self._kept(home, owner)
                capacity = max(call.first + call.rows - keep for call, keep in kept)
                found[owner] = RowBuffer(row_bytes(self._tensors[owner]), capacity)
        return found

    def moved_bytes(self, home: Mapping[str, str], buffers: Mapping[str, RowBuffer]) -> int:
        """Bytes that move within buffers in one inference."""
        moved = 0
        for owner, buffer in buffers.items():
            first = end = 0
            for call, keep in self._kept(home, owner):
                if call.first + call.rows - first > buffer.capacity:
                    moved += max(end - keep, 0) * buffer.row_bytes
                    first = keep
                end = max(end, call.first + call.rows)
        return moved

    def distance_bytes(self, home: Mapping[str, str], source: str, output: str) -> int:
        """How many bytes before an input an output must start to overwrite only what was read.

        An element-by-element layer may also write just where it reads, at a distance of 0.
        """
        before = [
            self._overrun(call, made, source)
            for call, made in self.events
            if home[self._output(call)] == output
        ]
        maker = next(node for node in self._nodes.values() if output in node.outputs)
        after = [
            self._overrun(call, {**made, call.layer: call.first + call.rows}, source)
            for call, made in self.events
            if self._output(call) == output
        ]
        in_place = maker.kind in ELEMENTWISE_KINDS and source in maker.inputs
        return 0 if in_place and max(after) <= 0 else max(0, *before)

    def _overrun(self, call: RowCall, made: Mapping[int, int], source: str) -> int:
        """Bytes from what is still to be read of an input to the end of what a call writes."""
        reading = [i for i in self._readers[source] if made[i] < self.layers[i].height]
        if not reading:
            return 0
        windows = [(i, self._window[i]) for i in reading]
        first = max(min(made[i] * window.stride - window.pad for i, window in windows), 0)
        end = (call.first + call.rows) * row_bytes(self._tensors[self._output(call)])
        return end - first * row_bytes(self._tensors[source])
