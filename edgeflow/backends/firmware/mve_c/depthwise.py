"""DEPTHWISE_CONV_2D as one plane of int8 values per channel (`edgeflow_mve_plane.h`)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgeflow.backends.firmware import dsp_c
from edgeflow.backends.firmware.c_text import CType, Expression, Value
from edgeflow.backends.firmware.dsp_c.depthwise import extent, spread_filters
from edgeflow.backends.firmware.dsp_c.scaling import Channels, channels
from edgeflow.backends.firmware.mve_c.constants import output_fields
from edgeflow.backends.firmware.portable_c.unpacking import filter_bytes, filter_in_memory
from edgeflow.backends.firmware.rendering import KernelCall, LayerContext, RenderedLayer
from edgeflow.graph.ir import Conv2D, Graph, Node, OpKind
from edgeflow.graph.requantize import conv_requantization

# Where the planes of a whole image take no more, they are filled before any output is written.
WHOLE_BYTES = 4096
PLANES = 8
_COLUMNS_AT_ONCE = 4
_VECTOR_BYTES = 16
_WORD_BYTES = 4
_SHIFT_BITS = 5
# Filters with more taps, zeros included, for each weight are for another kernel.
_MOST_SPREAD = 8
_FUNCTION = "edgeflow_mve_depthwise_conv_2d"


@dataclass(frozen=True)
class _Axis:
    """One axis of the image; steps in tensor elements."""

    input: int
    input_step: int
    output: int
    output_step: int
    filter: int
    stride: int
    pad: int

    def fields(self) -> dict[str, Value]:
        return dict(vars(self))


@dataclass(frozen=True)
class _Plane:
    """How a layer is cut into strips; `transposed` planes have the image's rows as columns.

    `vectors` hold the values that an output reads, with those of the rows that share them; 0: the
    weights do not stay in registers.
    """

    rows: _Axis
    columns: _Axis
    channels: int
    transposed: bool
    vectors: int
    strip_rows: int

    @property
    def is_possible(self) -> bool:
        """Whether the filter's columns, as long as those of the plane, fit the vectors."""
        column_bytes = self.columns.filter * self.plane_rows
        shift = (self.strip_rows - 1) * self.rows.stride
        fits = column_bytes <= self.vectors * _VECTOR_BYTES and shift <= _VECTOR_BYTES
        return self.strip_rows <= self.rows.output and (fits or self.vectors == 0)

    @property
    def plane_rows(self) -> int:
        return (self.strip_rows - 1) * self.rows.stride + self.rows.filter

    @property
    def groups(self) -> int:
        """Vectors of outputs in a row."""
        return -(-self.columns.output // _COLUMNS_AT_ONCE)

    @property
    def plane_columns(self) -> int:
        outputs = self.groups * _COLUMNS_AT_ONCE
        return (outputs - 1) * self.columns.stride + self.columns.filter

    @property
    def all_strips(self) -> int:
        return -(-self.rows.output // self.strip_rows)

    @property
    def strip_bytes(self) -> int:
        """The planes of one strip."""
        return min(self.channels, PLANES) * self.plane_rows * self.plane_columns

    @property
    def is_whole(self) -> bool:
        """Whether all strips lie in working memory at a time."""
        return self.all_strips == 1 or self.all_strips * self.strip_bytes <= WHOLE_BYTES

    @property
    def strips(self) -> int:
        return self.all_strips if self.is_whole else 1

    @property
    def bytes(self) -> int:
        """What the kernel reads and writes, up to a whole word: unpacked weights follow."""
        planes = self.strips * self.strip_bytes + 2 * _VECTOR_BYTES
        return -(-planes // _WORD_BYTES) * _WORD_BYTES

    def function(self, rows: int) -> Expression:
        """What computes so many output rows of a strip."""
        names = ("plane_any", f"plane_{rows}", f"wide_plane_{rows}")
        return Expression(f"edgeflow_mve_{names[self.vectors]}")

    @property
    def last_rows(self) -> int:
        """Output rows of the last strip."""
        return self.rows.output - (self.all_strips - 1) * self.strip_rows

    @property
    def work(self) -> int:
        """Instructions for a channel, roughly."""
        vectors = -(-self.rows.filter * self.columns.filter // _VECTOR_BYTES)
        row = _COLUMNS_AT_ONCE * self.vectors + 11 if self.vectors else 10 * vectors
        return self.strip_work + self.rows.output * (self.groups * row + self._row_work)

    @property
    def strip_work(self) -> int:
        """The part of it that strips cost, however many rows they have."""
        group = 9 + _COLUMNS_AT_ONCE * (1 + self.vectors) if self.vectors else 30
        again = self.rows.filter - self.rows.stride
        return self.all_strips * (30 + self.groups * group + again * self._row_work)

    @property
    def _row_work(self) -> int:
        """To fill a row of the plane."""
        return min(self.plane_columns, self.columns.input) * 5 // 8 + 2


_KERNELS = ((1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (0, 1))
"""(vectors, rows of outputs) for which there is a function."""


def plane_of(graph: Graph, node: Node) -> _Plane:
    """The plane that costs least; a transposed one must be whole, to be done in place."""
    assert isinstance(node.attributes, Conv2D)
    window = node.attributes.window
    _, in_h, in_w, in_c = graph.tensors[node.inputs[0]].shape
    _, out_h, out_w, out_c = graph.tensors[node.outputs[0]].shape
    filter_h, filter_w = extent(graph, node)
    down = _Axis(in_h, in_w * in_c, out_h, out_w * out_c, filter_h, window.stride_h, window.pad_top)
    across = _Axis(in_w, in_c, out_w, out_c, filter_w, window.stride_w, window.pad_left)
    planes = [
        _Plane(rows, columns, in_c, transposed, vectors, strip_rows)
        for vectors, strip_rows in _KERNELS
        for rows, columns, transposed in ((down, across, False), (across, down, True))
    ]
    candidates = [p for p in planes if p.is_possible and (p.is_whole or not p.transposed)]
    return min(candidates, key=lambda plane: plane.work)


def fast_channels(graph: Graph, node: Node) -> Channels | None:
    """The channels of a layer that the kernel takes; it pays zeros for what dilation skips."""
    _, filter_h, filter_w, _ = graph.tensors[node.inputs[1]].shape
    much = math.prod(extent(graph, node)) > _MOST_SPREAD * filter_h * filter_w
    # The kernel addresses planes by 16-bit offsets.
    if much or plane_of(graph, node).strip_bytes >= 2**16:
        return None
    found = channels(graph, node)
    return found if found is not None and found.packs(_SHIFT_BITS) else None


def plane_bytes(graph: Graph, node: Node) -> int:
    """Working memory: planes of a few channels, unpacked weights."""
    if fast_channels(graph, node) is None:
        return dsp_c.scratch_bytes(graph, node)
    spread = graph.tensors[node.outputs[0]].shape[3] * math.prod(extent(graph, node))
    return plane_of(graph, node).bytes + filter_bytes(graph, node, spread)


def depthwise_conv_2d(layer: LayerContext) -> RenderedLayer:
    """DEPTHWISE_CONV_2D with any channel multiplier."""
    found = fast_channels(layer.graph, layer.node)
    if found is None:
        return dsp_c.RENDERERS[OpKind.DEPTHWISE_CONV_2D](layer)
    plane = plane_of(layer.graph, layer.node)
    filters = spread_filters(layer.graph, layer.node, found.rows)
    if not plane.transposed:
        filters = filters.transpose(0, 2, 1)
    order = "[channel][row][column]" if plane.transposed else "[channel][column][row]"
    weights = filter_in_memory(layer, filters, f"weights {order}", plane.bytes)
    constants = layer.constant(
        "constants",
        CType.INT32,
        found.packed(_SHIFT_BITS),
        "of each channel bias and shift, multiplier",
    )
    fields: dict[str, Value] = {
        "weights": weights.place,
        "constants": Expression(constants.name),
        "strip_outputs": plane.function(plane.strip_rows),
        "last_outputs": plane.function(plane.last_rows),
        "input_channels": plane.channels,
        "multiplier": layer.output.shape[3] // plane.channels,
        "input_zero_point": conv_requantization(layer.graph, layer.node).input_zero_point,
        "rows": plane.rows.fields(),
        "columns": plane.columns.fields(),
        "strip_rows": plane.strip_rows,
        "strips": plane.strips,
        "plane_rows": plane.plane_rows,
        "plane_columns": plane.plane_columns,
        "to": output_fields(layer),
    }
    call = KernelCall(
        function=_FUNCTION,
        header=f"{_FUNCTION}.h",
        layer_type=f"{_FUNCTION}_layer",
        layer=fields,
        arguments=(
            layer.place(layer.node.inputs[0]),
            layer.scratch(),
            layer.place(layer.node.outputs[0]),
        ),
        sources=(
            f"{_FUNCTION}.c",
            "edgeflow_mve_plane.c",
            "edgeflow_mve_plane_rows.S",
            "edgeflow_mve_plane_any.S",
        ),
    )
    return RenderedLayer((*weights.calls, call), (weights.constant, constants))
