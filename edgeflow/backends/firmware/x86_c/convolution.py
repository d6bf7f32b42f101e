"""CONV_2D as inner products of pixels with vectors of channels (`edgeflow_x86_conv_2d.h`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware import portable_c
from edgeflow.backends.firmware.c_text import CType, Expression, Value
from edgeflow.backends.firmware.dsp_c.scaling import wrapped
from edgeflow.backends.firmware.rendering import KernelCall, LayerContext, RenderedLayer
from edgeflow.backends.firmware.wide_c.blocks import arranged, blocks_of
from edgeflow.backends.firmware.wide_c.image import Image, image_of
from edgeflow.backends.firmware.x86_c.outputs import OFFSET, output_constants, output_fields
from edgeflow.backends.firmware.x86_c.pixels import avx2_pixels, vnni_pixels
from edgeflow.backends.firmware.x86_c.rescaling import Rescaled, rescaled
from edgeflow.graph.ir import Conv2D, Graph, Node, OpKind
from edgeflow.graph.requantization import OutputRange
from edgeflow.graph.requantize import conv_requantization

_FUNCTION = "edgeflow_x86_conv_2d"
_SOURCES = (f"{_FUNCTION}.c", "edgeflow_avx2_blocks.c", "edgeflow_x86.c")


def fast_channels(graph: Graph, node: Node) -> Rescaled | None:
    """The channels of a layer that the kernel takes."""
    assert isinstance(node.attributes, Conv2D)
    if node.attributes.window.dilation_w > 1 and graph.tensors[node.inputs[1]].shape[2] > 1:
        return None
    return rescaled(graph, node)


def copy_bytes(graph: Graph, node: Node) -> int:
    """Working memory: the copy of the image."""
    if fast_channels(graph, node) is None:
        return portable_c.scratch_bytes(graph, node)
    return image_of(graph, node).copy_bytes


@dataclass(frozen=True, eq=False)
class Products:
    """Weights [outputs, taps], biases with the zero point folded in, and how sums are scaled.

    `scaling` is [4, outputs]: multipliers, shifts, bases below zero and from zero on; all sums
    are shifted to the left by `sum_shift` before.
    """

    rows: NDArray[np.int8]
    bias: NDArray[np.int64]
    scaling: NDArray[np.int64]
    sum_shift: int
    input_zero_point: int
    range: OutputRange


def conv_2d(layer: LayerContext) -> RenderedLayer:
    """CONV_2D."""
    found = fast_channels(layer.graph, layer.node)
    if found is None:
        return portable_c.RENDERERS[OpKind.CONV_2D](layer)
    values = conv_requantization(layer.graph, layer.node)
    return products(
        layer,
        image_of(layer.graph, layer.node),
        Products(
            rows=found.channels.rows,
            bias=found.channels.bias,
            scaling=found.constants,
            sum_shift=found.sum_shift,
            input_zero_point=values.input_zero_point,
            range=values.range,
        ),
    )


def products(layer: LayerContext, image: Image, of: Products) -> RenderedLayer:
    """A layer of inner products with every output channel."""
    outputs = len(of.rows)
    blocks = blocks_of(outputs)
    padding = (0, blocks.count * blocks.outputs - outputs)
    offset_sums = OFFSET * of.rows.sum(axis=1, dtype=np.int64)
    weights = layer.constant(
        "weights",
        CType.INT8,
        arranged(of.rows, image, blocks),
        f"weights {list(layer.input(1).shape)} by blocks, words and outputs",
    )
    bias, scaling = output_constants(
        layer,
        np.pad(wrapped(of.bias - offset_sums), padding),
        np.pad(of.scaling, ((0, 0), padding)),
    )
    vnni = vnni_pixels(image.output_width, blocks.vectors)
    avx2 = avx2_pixels(image.output_width)
    fields: dict[str, Value] = {
        "image": image.margin(of.input_zero_point + OFFSET),
        "output_height": image.output_height,
        "output_width": image.output_width,
        "line_step": image.line_step,
        "pixel_step": image.pixel_step,
        "filter_rows": image.filter_rows,
        "filter_row_step": image.filter_row_step,
        "filter_words": image.filter_words,
        "outputs": outputs,
        "blocks": blocks.count,
        "block_outputs": blocks.outputs,
        "weights": Expression(weights.name),
        "to": output_fields(of.range, bias, scaling, of.sum_shift),
        "vnni": Expression(f"edgeflow_vnni_{vnni}x{blocks.vectors}"),
        "vnni_pixels": vnni,
        "avx2": Expression(f"edgeflow_avx2_{avx2}"),
        "avx2_pixels": avx2,
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
        sources=(*_SOURCES, f"edgeflow_vnni_blocks_{blocks.vectors}.c"),
    )
    return RenderedLayer((call,), (weights, bias, scaling))
