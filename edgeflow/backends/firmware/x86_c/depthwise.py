"""DEPTHWISE_CONV_2D, thirty-two bytes of a row at a time (`edgeflow_x86_depthwise_conv_2d.h`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware import portable_c
from edgeflow.backends.firmware.c_text import ConstantArray, CType, Expression, Value
from edgeflow.backends.firmware.dsp_c.scaling import wrapped
from edgeflow.backends.firmware.rendering import KernelCall, LayerContext, RenderedLayer
from edgeflow.backends.firmware.wide_c.groups import in_groups, is_periodic, tap_offsets, taps_even
from edgeflow.backends.firmware.wide_c.image import Image, image_of
from edgeflow.backends.firmware.x86_c.outputs import OFFSET, output_constants, output_fields
from edgeflow.backends.firmware.x86_c.rescaling import Rescaled, rescaled
from edgeflow.graph.ir import Conv2D, Graph, Node, OpKind
from edgeflow.graph.requantize import conv_requantization

GROUP = 32
_FUNCTION = "edgeflow_x86_depthwise_conv_2d"
_LOW = np.arange(GROUP).reshape(4, 2, 4)[:, 0].reshape(-1)
_ORDER = np.concatenate([_LOW, _LOW + 4])


def fast_channels(graph: Graph, node: Node) -> Rescaled | None:
    """The channels of a layer that the kernel takes: each input channel has one output."""
    inputs, outputs = (graph.tensors[n[0]].shape[3] for n in (node.inputs, node.outputs))
    return rescaled(graph, node) if inputs == outputs else None


def copy_bytes(graph: Graph, node: Node) -> int:
    """Working memory: the copy of the image."""
    if fast_channels(graph, node) is None:
        return portable_c.scratch_bytes(graph, node)
    return image_of(graph, node).copy_bytes


def _in_order(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Values [..., channels] in groups, in the order of the registers."""
    ordered: NDArray[np.int64] = in_groups(values, GROUP)[..., _ORDER]
    return ordered


def _pairs(taps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Taps [n, ...] in pairs [pairs, 2, ...]; the partner of an odd one is zero."""
    return taps_even(taps).reshape(-1, 2, *taps.shape[1:])


def depthwise_conv_2d(layer: LayerContext) -> RenderedLayer:
    """DEPTHWISE_CONV_2D."""
    found = fast_channels(layer.graph, layer.node)
    if found is None:
        return portable_c.RENDERERS[OpKind.DEPTHWISE_CONV_2D](layer)
    image = image_of(layer.graph, layer.node)
    rows = found.channels.rows.astype(np.int64)
    weights = _in_order(_pairs(rows.T))  # [pairs, 2, groups, 32]
    words = wrapped((weights[:, 0] & 0xFFFF) | (weights[:, 1] << 16)).transpose(1, 0, 2)
    offset_sums = OFFSET * rows.sum(axis=1)
    constants = (
        layer.constant("weights", CType.INT32, words, "pairs of weights by groups and pairs"),
        layer.constant(
            "offsets", CType.INT32, _pairs(tap_offsets(layer, image)), "of pairs of taps"
        ),
        *output_constants(
            layer,
            _in_order(wrapped(found.channels.bias - offset_sums)),
            _in_order(found.constants),
        ),
    )
    return RenderedLayer((_call(layer, image, constants, found.sum_shift),), constants)


def _call(
    layer: LayerContext, image: Image, constants: tuple[ConstantArray, ...], sum_shift: int
) -> KernelCall:
    assert isinstance(layer.node.attributes, Conv2D)
    channels = layer.output.shape[3]
    weights, offsets, bias, scaling = constants
    in_rows = layer.node.attributes.window.stride_w == 1 and is_periodic(channels, GROUP)
    groups = bias.values.size // GROUP
    values = conv_requantization(layer.graph, layer.node)
    fields: dict[str, Value] = {
        "image": image.margin(values.input_zero_point + OFFSET),
        "output_height": image.output_height,
        "runs": 1 if in_rows else image.output_width,
        "line_step": image.line_step,
        "run_step": image.pixel_step,
        "run_bytes": channels * (image.output_width if in_rows else 1),
        "groups": groups,
        "pairs": offsets.values.size // 2,
        "offsets": Expression(offsets.name),
        "weights": Expression(weights.name),
        "to": output_fields(values.range, bias, scaling, sum_shift),
    }
    return KernelCall(
        function=_FUNCTION,
        header=f"{_FUNCTION}.h",
        layer_type=f"{_FUNCTION}_layer",
        layer=fields,
        arguments=(
            layer.place(layer.node.inputs[0]),
            layer.scratch(),
            layer.place(layer.node.outputs[0]),
        ),
        sources=(f"{_FUNCTION}.c", "edgeflow_x86.c"),
    )
