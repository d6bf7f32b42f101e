"""The C function that runs a segment row by row, as values for the template.

It follows the rules of `row_schedule` while it runs; so the schedule needs no memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgeflow.backends.firmware.arrangement import PlacedSegment
from edgeflow.backends.firmware.c_text import comment
from edgeflow.backends.firmware.layer_text import Layer
from edgeflow.backends.firmware.row_schedule import Feed, RowLayer
from edgeflow.backends.firmware.rows import RowWindow, height, image_inputs, row_bytes, row_window
from edgeflow.graph.ir import Graph

HEADER = "edgeflow_rows.h"
SOURCE = "edgeflow_rows.c"


@dataclass(frozen=True, eq=False)
class _Writer:
    """A segment with what its text refers to."""

    graph: Graph
    segment: PlacedSegment
    offset_bytes: Mapping[str, int]
    layers: Mapping[int, Layer]

    @property
    def row_layers(self) -> Mapping[int, RowLayer]:
        return self.segment.plan.layers

    def home(self, name: str) -> str:
        """The tensor in whose rows those of a tensor lie."""
        return self.segment.plan.home.get(name, name)

    def variable(self, name: str) -> str:
        """The C variable of the rows of a home."""
        made_by = {node.outputs[0]: i for i, node in enumerate(self.graph.nodes)}
        return f"rows_{made_by[name]:02d}" if name in made_by else "rows_input"

    def window(self, index: int) -> RowWindow:
        window = row_window(self.graph, self.graph.nodes[index])
        assert window is not None
        return window


def segment_symbol(segment: PlacedSegment) -> str:
    """The C function of a segment."""
    return f"edgeflow_rows_{segment.plan.segment.first:02d}_{segment.plan.segment.last:02d}"


def segment_values(
    graph: Graph,
    segment: PlacedSegment,
    offset_bytes: Mapping[str, int],
    layers: Mapping[int, Layer],
) -> Mapping[str, object]:
    """The function of a segment; `layers` are those of the graph by the index of their node."""
    writer = _Writer(graph, segment, offset_bytes, layers)
    row_layers = writer.row_layers
    unfinished = [
        f"made_{index:02d} < {layer.height}"
        for index, layer in row_layers.items()
        if layer.is_output
    ]
    return {
        "symbol": segment_symbol(segment),
        "first": f"{segment.plan.segment.first:02d}",
        "last": f"{segment.plan.segment.last:02d}",
        "tensors": [_tensor_values(writer, name) for name in _homes(writer)],
        "counters": [f"made_{index:02d}" for index in row_layers],
        "unfinished": " || ".join(unfinished),
        "branches": [_branch(writer, index) for index in reversed(list(row_layers))],
    }


def _homes(writer: _Writer) -> list[str]:
    plan = writer.segment.plan
    return list(dict.fromkeys([*plan.inputs, *plan.home.values()]))


def _tensor_values(writer: _Writer, name: str) -> Mapping[str, object]:
    tensor = writer.graph.tensors[name]
    buffer = writer.segment.plan.buffers.get(name)
    places = writer.segment.buffer_offset_bytes if buffer else writer.offset_bytes
    rows = buffer.capacity if buffer else height(tensor)
    what = f"{rows} of the {height(tensor)} rows" if rows < height(tensor) else "all rows"
    return {
        "comment": comment(f"{what} of {name}"),
        "variable": writer.variable(name),
        "initializer": f"{{&edgeflow_arena[{places[name]}], {row_bytes(tensor)}, {rows}, 0}}",
    }


def _branch(writer: _Writer, index: int) -> Mapping[str, object]:
    layer = writer.row_layers[index]
    node = writer.graph.nodes[index]
    made, window = f"made_{index:02d}", writer.window(index)
    conditions = [_exists(feed, layer, made) for feed in layer.feeds]
    if not conditions or not _ends_the_loop(writer, index):
        conditions.insert(0, f"{made} < {layer.height}")
    if layer.waits and not layer.is_output:
        conditions.append(_is_wanted(writer, index))
    count = str(layer.rows)
    if layer.height % layer.rows:
        count = f"edgeflow_smaller({layer.rows}, {layer.height} - {made})"
    reads = [
        f"edgeflow_row(&{writer.variable(writer.home(name))}, {_first_row(window, made)})"
        for name in image_inputs(writer.graph, node)
    ]
    return {
        "conditions": conditions,
        **_target_values(writer, index, count),
        "symbol": writer.layers[index].symbol,
        "arguments": ", ".join([made, *reads, "to"]),
        "advance": f"{made} += {count};",
    }


def _ends_the_loop(writer: _Writer, index: int) -> bool:
    """Whether a layer makes the only output, so that the loop ends with its last row."""
    outputs = [i for i, layer in writer.row_layers.items() if layer.is_output]
    return outputs == [index]


def _first_row(window: RowWindow, made: str) -> str:
    """The first input row that the next band reads."""
    row = made if window.stride == 1 else f"{window.stride} * {made}"
    return f"edgeflow_not_negative({row} - {window.pad})" if window.pad else row


def _needed(feed: Feed, layer: RowLayer, made: str) -> str:
    """Rows of a feed that must exist for the next band."""
    window, lookahead = feed.window, layer.lookahead(feed.window)
    row = made if window.stride == 1 else f"{window.stride} * {made}"
    last = (layer.height - 1) // layer.rows * layer.rows
    if last * window.stride + lookahead <= feed.height:
        return f"{row} + {lookahead}"
    return f"edgeflow_smaller({feed.height}, {row} + {lookahead})"


def _exists(feed: Feed, layer: RowLayer, made: str) -> str:
    return f"made_{feed.layer:02d} >= {_needed(feed, layer, made)}"


def _is_wanted(writer: _Writer, index: int) -> str:
    """Whether a reader lacks rows of a layer that could always run."""
    wants = []
    for reader in writer.row_layers[index].readers:
        layer = writer.row_layers[reader]
        for feed in layer.feeds:
            if feed.layer == index:
                needed = _needed(feed, layer, f"made_{reader:02d}")
                wants.append(f"(made_{reader:02d} < {layer.height} && made_{index:02d} < {needed})")
    return wants[0] if len(wants) == 1 else f"({' || '.join(wants)})"


def _target_values(writer: _Writer, index: int, count: str) -> Mapping[str, object]:
    """Where the next rows go, and for a buffer the first row that is to stay in it.

    Rows of a whole tensor have their place, and so have those that are written over rows that a
    layer before has made.
    """
    node, homes = writer.graph.nodes[index], writer.segment.plan.home
    home, made = writer.home(node.outputs[0]), f"made_{index:02d}"
    variable = writer.variable(home)
    if home not in writer.segment.plan.buffers or any(homes.get(n) == home for n in node.inputs):
        return {"keep": None, "target": f"edgeflow_row(&{variable}, {made})"}
    members = [name for name, place in homes.items() if place == home]
    firsts = dict.fromkeys(
        _first_row(writer.window(reader), f"made_{reader:02d}")
        for reader in writer.row_layers
        if any(name in writer.graph.nodes[reader].inputs for name in members)
    )
    keep = made
    for first in firsts:
        keep = f"edgeflow_smaller({keep}, {first})"
    return {
        "keep": keep,
        "target": f"edgeflow_next_rows(&{variable}, keep, {made}, {count})",
    }
