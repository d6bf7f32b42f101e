"""DEPTHWISE_CONV_2D as one plane of int16 values per channel (`edgeflow_dsp_plane.h`)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware import portable_c
from edgeflow.backends.firmware.c_text import CType, Expression, Value
from edgeflow.backends.firmware.dsp_c.clamping import narrow_range
from edgeflow.backends.firmware.dsp_c.scaling import Channels, channels, finer_channels
from edgeflow.backends.firmware.portable_c.unpacking import filter_bytes, filter_in_memory
from edgeflow.backends.firmware.rendering import KernelCall, LayerContext, RenderedLayer
from edgeflow.graph.ir import Conv2D, Graph, Node, OpKind
from edgeflow.graph.requantize import conv_requantization

# A plane takes a strip of the image where the whole one would be larger.
PLANE_BYTES = 1024
_COLUMNS_AT_ONCE = 4
_SHIFT_BITS = 5
# A dilated filter becomes one with zeros between its taps: the portable kernel takes some ten times
# as long for a tap, so that this many more pay.
_MOST_SPREAD = 8
_STRIP = ("edgeflow_dsp_strip.c",)
_PLANES_3X3 = ("edgeflow_dsp_plane_3x3.c", "edgeflow_dsp_plane_3x3.S")
_PLANES_ANY = (
    "edgeflow_dsp_plane_any.c",
    "edgeflow_dsp_plane_neighbours.c",
    "edgeflow_dsp_plane_neighbours.S",
)
_PLANES_FINER = ("edgeflow_dsp_plane_finer.c", "edgeflow_dsp_plane_finer.S")


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
    """How a layer is cut into strips; `transposed` planes have the image's rows as columns."""

    rows: _Axis
    columns: _Axis
    transposed: bool
    finer: bool

    @property
    def pitch(self) -> int:
        """Values of a row: what four columns at a time read, and an even number."""
        groups = -(-self.columns.output // _COLUMNS_AT_ONCE) * _COLUMNS_AT_ONCE
        taps = -(-self.columns.filter // 2) * 2
        values = (groups - 1) * self.columns.stride + taps
        # The 3x3 kernels read whole words of the group, one beyond the last tap.
        return -(-(values + 1) // 2) * 2

    @property
    def strip_rows(self) -> int:
        """Output rows of a strip."""
        rows = (PLANE_BYTES // (2 * self.pitch) - self.rows.filter) // self.rows.stride + 1
        return min(max(rows, 1), self.rows.output)

    @property
    def plane_rows(self) -> int:
        return (self.strip_rows - 1) * self.rows.stride + self.rows.filter

    @property
    def is_3x3(self) -> bool:
        sizes = self.rows.filter, self.columns.filter
        return sizes == (3, 3) and self.columns.stride <= 2

    @property
    def bytes(self) -> int:
        words = 0 if self.is_3x3 else self.rows.filter * (-(-self.columns.filter // 2))
        return 2 * self.plane_rows * self.pitch + 4 * words

    @property
    def work(self) -> int:
        """Multiplications of a channel, those for nothing included."""
        groups = -(-self.columns.output // _COLUMNS_AT_ONCE) * _COLUMNS_AT_ONCE
        words = self.rows.filter * (-(-self.columns.filter // 2))
        # What a row costs beside its groups weighs as much as some ten words.
        return self.rows.output * (groups * (words + 6) + 10)


def plane_of(graph: Graph, node: Node) -> _Plane:
    """The orientation that costs less."""
    assert isinstance(node.attributes, Conv2D)
    window = node.attributes.window
    _, in_h, in_w, in_c = graph.tensors[node.inputs[0]].shape
    _, out_h, out_w, out_c = graph.tensors[node.outputs[0]].shape
    filter_h, filter_w = extent(graph, node)
    down = _Axis(in_h, in_w * in_c, out_h, out_w * out_c, filter_h, window.stride_h, window.pad_top)
    across = _Axis(in_w, in_c, out_w, out_c, filter_w, window.stride_w, window.pad_left)
    finer = _is_finer(graph, node)
    upright = _Plane(down, across, transposed=False, finer=finer)
    transposed = _Plane(across, down, transposed=True, finer=finer)
    return min(upright, transposed, key=lambda plane: (plane.work, plane.transposed))


def _is_finer(graph: Graph, node: Node) -> bool:
    """Whether there are channels with scales of 1/2 and more.

    Narrow weights have such, and int8 weights of channels that training hardly uses.
    """
    return max(conv_requantization(graph, node).shifts) >= 0


def extent(graph: Graph, node: Node) -> tuple[int, int]:
    """Rows and columns that a filter reaches over, dilation included."""
    assert isinstance(node.attributes, Conv2D)
    window = node.attributes.window
    _, filter_h, filter_w, _ = graph.tensors[node.inputs[1]].shape
    return (filter_h - 1) * window.dilation_h + 1, (filter_w - 1) * window.dilation_w + 1


def spread_filters(graph: Graph, node: Node, rows: NDArray[np.int8]) -> NDArray[np.int8]:
    """Weights [channels, taps] as [channels, rows, columns] with zeros where dilation skips."""
    assert isinstance(node.attributes, Conv2D)
    window = node.attributes.window
    _, filter_h, filter_w, channels = graph.tensors[node.inputs[1]].shape
    filters = np.zeros((channels, *extent(graph, node)), np.int8)
    filters[:, :: window.dilation_h, :: window.dilation_w] = rows.reshape(-1, filter_h, filter_w)
    return filters


def fast_channels(graph: Graph, node: Node) -> Channels | None:
    """The channels of a layer that the kernel takes: little dilation, scales of the short form."""
    _, filter_h, filter_w, _ = graph.tensors[node.inputs[1]].shape
    if math.prod(extent(graph, node)) > _MOST_SPREAD * filter_h * filter_w:
        return None
    found = finer_channels(graph, node) if _is_finer(graph, node) else channels(graph, node)
    return found if found is not None and found.packs(_SHIFT_BITS) else None


def plane_bytes(graph: Graph, node: Node) -> int:
    """The plane, the taps of a channel where the kernel wants them wide, unpacked weights."""
    if fast_channels(graph, node) is None:
        return portable_c.scratch_bytes(graph, node)
    return plane_of(graph, node).bytes + unpacked_filter_bytes(graph, node)


def unpacked_filter_bytes(graph: Graph, node: Node) -> int:
    """Narrow weights as int8, those that stand for dilation included; 0 for int8 weights."""
    channels_out = graph.tensors[node.outputs[0]].shape[3]
    return filter_bytes(graph, node, channels_out * math.prod(extent(graph, node)))


def depthwise_conv_2d(layer: LayerContext) -> RenderedLayer:
    """DEPTHWISE_CONV_2D with any channel multiplier."""
    found = fast_channels(layer.graph, layer.node)
    if found is None:
        return portable_c.RENDERERS[OpKind.DEPTHWISE_CONV_2D](layer)
    plane = plane_of(layer.graph, layer.node)
    values = conv_requantization(layer.graph, layer.node)
    filters = spread_filters(layer.graph, layer.node, found.rows)
    if plane.transposed:
        filters = filters.transpose(0, 2, 1)
    order = "[channel][column][row]" if plane.transposed else "[channel][row][column]"
    weights = filter_in_memory(layer, filters, f"weights {order}", plane.bytes)
    scales = layer.constant(
        "channels", CType.INT32, found.packed(_SHIFT_BITS), "bias and shift, multiplier"
    )
    fields: dict[str, Value] = {
        "weights": weights.place,
        "channels": Expression(scales.name),
        "input_channels": layer.input(0).shape[3],
        "multiplier": layer.output.shape[3] // layer.input(0).shape[3],
        "input_zero_point": values.input_zero_point,
        "base": 2 * values.output_zero_point + 1,
        "rows": plane.rows.fields(),
        "columns": plane.columns.fields(),
        "strip_rows": plane.strip_rows,
        "plane_rows": plane.plane_rows,
        "plane_pitch": plane.pitch,
    }
    size = "_3x3" if plane.is_3x3 else ""
    function = f"edgeflow_dsp_depthwise_conv_2d{size}{'_finer' if plane.finer else ''}"
    planes = _PLANES_3X3 if plane.is_3x3 else _PLANES_ANY
    sources = (*planes, *_PLANES_FINER) if plane.finer else planes
    call = KernelCall(
        function=function,
        header="edgeflow_dsp_depthwise_conv_2d.h",
        layer_type="edgeflow_dsp_depthwise_conv_2d_layer",
        layer=fields,
        arguments=(
            layer.place(layer.node.inputs[0]),
            layer.scratch(),
            layer.place(layer.node.outputs[0]),
        ),
        sources=(f"{function}.c", *sources, *_STRIP),
    )
    calls = (*weights.calls, call, *narrow_range(layer, values.range))
    return RenderedLayer(calls, (weights.constant, scales))
