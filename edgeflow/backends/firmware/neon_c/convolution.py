"""CONV_2D as inner products of pixels with sixteen channels (`edgeflow_neon_conv_2d.h`)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeflow.backends.firmware import portable_c
from edgeflow.backends.firmware.c_text import CType, Expression, Value
from edgeflow.backends.firmware.dsp_c.scaling import Channels, wrapped
from edgeflow.backends.firmware.neon_c import outputs
from edgeflow.backends.firmware.rendering import KernelCall, LayerContext, RenderedLayer
from edgeflow.backends.firmware.wide_c.blocks import LANES, Blocks, arranged
from edgeflow.backends.firmware.wide_c.image import Image, image_of
from edgeflow.graph.ir import Conv2D, Graph, Node, OpKind
from edgeflow.graph.requantize import conv_requantization

_FUNCTION = "edgeflow_neon_conv_2d"
_WORDS_TOGETHER = 2


def fast_channels(graph: Graph, node: Node) -> Channels | None:
    """The channels of a layer that the kernel takes."""
    assert isinstance(node.attributes, Conv2D)
    if node.attributes.window.dilation_w > 1 and graph.tensors[node.inputs[1]].shape[2] > 1:
        return None
    return outputs.fast_channels(graph, node)


def copy_bytes(graph: Graph, node: Node) -> int:
    """Working memory: the copy of the image."""
    if fast_channels(graph, node) is None:
        return portable_c.scratch_bytes(graph, node)
    return image_of(graph, node).copy_bytes


def _with_even_words(image: Image) -> Image:
    """The same with filter rows of an even number of words."""
    return replace(image, least_words=-(-image.filter_words // _WORDS_TOGETHER) * _WORDS_TOGETHER)


def conv_2d(layer: LayerContext) -> RenderedLayer:
    """CONV_2D."""
    found = fast_channels(layer.graph, layer.node)
    if found is None:
        return portable_c.RENDERERS[OpKind.CONV_2D](layer)
    image = _with_even_words(image_of(layer.graph, layer.node))
    blocks = Blocks(-(-len(found.rows) // LANES), 1)
    padding = (0, blocks.count * LANES - len(found.rows))
    weights = layer.constant(
        "weights",
        CType.INT8,
        arranged(found.rows, image, blocks),
        f"weights {list(layer.input(1).shape)} by blocks, words and outputs",
    )
    constants = outputs.output_constants(
        layer,
        np.pad(wrapped(found.bias), padding),
        np.pad(found.multipliers, padding),
        np.pad(found.shifts, padding),
    )
    fields: dict[str, Value] = {
        "image": image.margin(conv_requantization(layer.graph, layer.node).input_zero_point),
        "output_height": image.output_height,
        "output_width": image.output_width,
        "line_step": image.line_step,
        "pixel_step": image.pixel_step,
        "filter_rows": image.filter_rows,
        "filter_row_step": image.filter_row_step,
        "filter_words": image.filter_words,
        "outputs": len(found.rows),
        "blocks": blocks.count,
        "weights": Expression(weights.name),
        "to": outputs.output_fields(layer, constants),
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
        sources=(f"{_FUNCTION}.c", "edgeflow_neon.c"),
    )
    return RenderedLayer((call,), (weights, *constants))
