"""DEPTHWISE_CONV_2D, eight bytes of a row at a time (`edgeflow_neon_depthwise_conv_2d.h`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware import portable_c
from edgeflow.backends.firmware.c_text import CType, Expression, Value
from edgeflow.backends.firmware.dsp_c.scaling import Channels, wrapped
from edgeflow.backends.firmware.neon_c import outputs
from edgeflow.backends.firmware.rendering import KernelCall, LayerContext, RenderedLayer
from edgeflow.backends.firmware.wide_c.groups import in_groups, is_periodic, tap_offsets, taps_even
from edgeflow.backends.firmware.wide_c.image import image_of
from edgeflow.graph.ir import Conv2D, Graph, Node, OpKind
from edgeflow.graph.requantize import conv_requantization

_GROUP = 8
_FUNCTION = "edgeflow_neon_depthwise_conv_2d"


def fast_channels(graph: Graph, node: Node) -> Channels | None:
    """The channels of a layer that the kernel takes: each input channel has one output."""
    inputs, channels = (graph.tensors[n[0]].shape[3] for n in (node.inputs, node.outputs))
    return outputs.fast_channels(graph, node) if inputs == channels else None


def copy_bytes(graph: Graph, node: Node) -> int:
    """Working memory: the copy of the image."""
    if fast_channels(graph, node) is None:
        return portable_c.scratch_bytes(graph, node)
    return image_of(graph, node).copy_bytes


def depthwise_conv_2d(layer: LayerContext) -> RenderedLayer:
    """DEPTHWISE_CONV_2D."""
    found = fast_channels(layer.graph, layer.node)
    if found is None:
        return portable_c.RENDERERS[OpKind.DEPTHWISE_CONV_2D](layer)
    assert isinstance(layer.node.attributes, Conv2D)
    image, channels = image_of(layer.graph, layer.node), layer.output.shape[3]
    in_rows = layer.node.attributes.window.stride_w == 1 and is_periodic(channels, _GROUP)

    def grouped(values: NDArray[np.int64]) -> NDArray[np.int64]:
        return in_groups(values, _GROUP)

    weights = taps_even(grouped(found.rows.T.astype(np.int64)))  # [taps, groups, 8]
    arrays = (
        layer.constant("weights", CType.INT8, weights.transpose(1, 0, 2), "by groups and taps"),
        layer.constant("offsets", CType.INT32, taps_even(tap_offsets(layer, image)), "of taps"),
    )
    constants = outputs.output_constants(
        layer, grouped(wrapped(found.bias)), grouped(found.multipliers), grouped(found.shifts)
    )
    fields: dict[str, Value] = {
        "image": image.margin(conv_requantization(layer.graph, layer.node).input_zero_point),
        "output_height": image.output_height,
        "runs": 1 if in_rows else image.output_width,
        "line_step": image.line_step,
        "run_step": image.pixel_step,
        "run_bytes": channels * (image.output_width if in_rows else 1),
        "groups": weights.shape[1],
        "taps": weights.shape[0],
        "offsets": Expression(arrays[1].name),
        "weights": Expression(arrays[0].name),
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
    return RenderedLayer((call,), (*arrays, *constants))
