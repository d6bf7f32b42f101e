"""CONV_2D as inner products of pixels and channels (`edgeflow_mve_dot.h`)."""

from __future__ import annotations

from edgeflow.backends.firmware import dsp_c
from edgeflow.backends.firmware.c_text import Expression, Value
from edgeflow.backends.firmware.dsp_c.scaling import channels
from edgeflow.backends.firmware.mve_c.constants import dot
from edgeflow.backends.firmware.mve_c.weights import is_packed, unpacking_bytes
from edgeflow.backends.firmware.portable_c.channelwise import is_pointwise, window_fields
from edgeflow.backends.firmware.rendering import KernelCall, LayerContext, RenderedLayer
from edgeflow.graph.ir import Conv2D, Graph, Node, OpKind
from edgeflow.graph.requantize import conv_requantization

STRIP_BYTES = 2048
PIXELS_AT_ONCE = 3

# Packed weights are unpacked once for so many pixels of a 1x1 filter.
_PIXELS_TOGETHER = 48


def new_columns(graph: Graph, node: Node) -> int:
    """Filter columns that a pixel adds to those of the one before it."""
    assert isinstance(node.attributes, Conv2D)
    window = node.attributes.window
    filter_w = graph.tensors[node.inputs[1]].shape[2]
    return min(window.stride_w, filter_w) if window.dilation_w == 1 else filter_w


def strip_pixels(graph: Graph, node: Node) -> int:
    """Output pixels whose columns lie in working memory at a time."""
    _, filter_h, filter_w, inputs = graph.tensors[node.inputs[1]].shape
    out_w = graph.tensors[node.outputs[0]].shape[2]
    columns = STRIP_BYTES // (filter_h * inputs)
    fitting = (columns - filter_w) // new_columns(graph, node) + 1
    return min(max(fitting // 3 * 3, 3), out_w)


def together(graph: Graph, node: Node) -> int:
    """Pixels of a 1x1 filter that are read until all of their outputs are written."""
    return _PIXELS_TOGETHER if is_packed(graph, node) else PIXELS_AT_ONCE


def row_pixels(graph: Graph, node: Node) -> int:
    """Pixels of a 1x1 filter that lie at one distance: those of a row, or all."""
    assert isinstance(node.attributes, Conv2D)
    window = node.attributes.window
    _, out_h, out_w, _ = graph.tensors[node.outputs[0]].shape
    return out_w * (out_h if (window.stride_h, window.stride_w) == (1, 1) else 1)


def working_bytes(graph: Graph, node: Node) -> int:
    """Working memory: the filter columns of a strip of pixels, unpacked weights."""
    if channels(graph, node) is None:
        return dsp_c.scratch_bytes(graph, node)
    columns = 0 if is_pointwise(graph, node) else _strip_bytes(graph, node)
    return columns + unpacking_bytes(graph, node)


def _strip_bytes(graph: Graph, node: Node) -> int:
    """The filter columns of a strip, up to a whole word."""
    _, filter_h, filter_w, inputs = graph.tensors[node.inputs[1]].shape
    columns = (strip_pixels(graph, node) - 1) * new_columns(graph, node) + filter_w
    return -(-columns * filter_h * inputs // 4) * 4


def conv_2d(layer: LayerContext) -> RenderedLayer:
    """CONV_2D; a pointwise one has a kernel of its own, which reads its pixels in place."""
    found = channels(layer.graph, layer.node)
    if found is None:
        return dsp_c.RENDERERS[OpKind.CONV_2D](layer)
    if is_pointwise(layer.graph, layer.node):
        return _pointwise(layer)
    outputs, filter_h, filter_w, inputs = layer.input(1).shape
    rows = found.rows.reshape(outputs, filter_h, filter_w, inputs).transpose(0, 2, 1, 3)
    what = f"weights {list(layer.input(1).shape)} as [output][column][row][input]"
    products = dot(layer, found, rows.reshape(outputs, -1), what)
    _, in_h, in_w, in_c = layer.input(0).shape
    _, out_h, out_w, _ = layer.output.shape
    fields: dict[str, Value] = {
        "input_height": in_h,
        "input_width": in_w,
        "input_channels": in_c,
        "output_height": out_h,
        "output_width": out_w,
        **window_fields(layer),
        "input_zero_point": conv_requantization(layer.graph, layer.node).input_zero_point,
        "new_columns": new_columns(layer.graph, layer.node),
        "strip_pixels": strip_pixels(layer.graph, layer.node),
        "strip_bytes": _strip_bytes(layer.graph, layer.node),
        "dot": products.fields,
    }
    call = KernelCall(
        function="edgeflow_mve_conv_2d",
        header="edgeflow_mve_conv_2d.h",
        layer_type="edgeflow_mve_conv_2d_layer",
        layer=fields,
        arguments=(
            layer.place(layer.node.inputs[0]),
            layer.scratch(),
            layer.place(layer.node.outputs[0]),
        ),
        sources=("edgeflow_mve_conv_2d.c", "edgeflow_mve_columns.c", *products.sources),
    )
    return RenderedLayer((call,), products.arrays)


def _pointwise(layer: LayerContext) -> RenderedLayer:
    assert isinstance(layer.node.attributes, Conv2D)
    window = layer.node.attributes.window
    found = channels(layer.graph, layer.node)
    assert found is not None
    products = dot(layer, found, found.rows, f"weights {list(layer.input(1).shape)}")
    packed = is_packed(layer.graph, layer.node)
    _, _, in_w, in_c = layer.input(0).shape
    _, out_h, out_w, _ = layer.output.shape
    pixels = row_pixels(layer.graph, layer.node)
    fields: dict[str, Value] = {
        "rows": out_h * out_w // pixels,
        "row_step": window.stride_h * in_w * in_c,
        "pixels": pixels,
        "pixel_step": window.stride_w * in_c,
        "together": min(_PIXELS_TOGETHER, pixels) if packed else pixels,
        "dot": products.fields,
    }
    call = KernelCall(
        function="edgeflow_mve_pointwise_conv_2d",
        header="edgeflow_mve_conv_2d.h",
        layer_type="edgeflow_mve_pointwise_conv_2d_layer",
        layer=fields,
        arguments=(
            layer.place(layer.node.inputs[0]),
            layer.scratch() if packed else Expression("0"),
            layer.place(layer.node.outputs[0]),
        ),
        sources=("edgeflow_mve_pointwise_conv_2d.c", *products.sources),
    )
    return RenderedLayer((call,), products.arrays)
