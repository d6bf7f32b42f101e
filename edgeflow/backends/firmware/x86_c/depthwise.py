"""DEPTHWISE_CONV_2D, thirty-two bytes of a row at a time (`edgeflow_x86_depthwise_conv_2d.h`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware import portable_c
from edgeflow.backends.firmware.c_text import ConstantArray, CType, Expression, Value
from edgeflow.backends.firmware.dsp_c.scaling import wrapped
from edgeflow.backends.firmware.rendering import KernelCall, LayerContext, RenderedLayer
from edgeflow.backends.firmware.x86_c.image import OFFSET, Image, image_of
from edgeflow.backends.firmware.x86_c.outputs import output_constants, output_fields
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


def _is_periodic(channels: int) -> bool:
    """Whether channels fill groups, or repeat in one, so that rows can run through."""
    return channels % GROUP == 0 or GROUP % channels == 0


def in_groups(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Values [..., channels] in the order of the groups, [..., groups, 32]."""
    channels = values.shape[-1]
    if _is_periodic(channels) and channels < GROUP:
        whole = np.concatenate([values] * (GROUP // channels), axis=-1)
    else:
        padding = [(0, 0)] * (values.ndim - 1) + [(0, -channels % GROUP)]
        whole = np.pad(values, padding)
    grouped: NDArray[np.int64] = whole.reshape(*values.shape[:-1], -1, GROUP)[..., _ORDER]
    return grouped


def _pairs(taps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Taps [n, ...] in pairs [pairs, 2, ...]; the partner of an odd one is zero."""
    even = np.pad(taps, [(0, len(taps) % 2)] + [(0, 0)] * (taps.ndim - 1))
    return even.reshape(-1, 2, *taps.shape[1:])


def depthwise_conv_2d(layer: LayerContext) -> RenderedLayer:
    """DEPTHWISE_CONV_2D."""
    found = fast_channels(layer.graph, layer.node)
    if found is None:
        return portable_c.RENDERERS[OpKind.DEPTHWISE_CONV_2D](layer)
    image = image_of(layer.graph, layer.node)
    rows = found.channels.rows.astype(np.int64)
    weights = in_groups(_pairs(rows.T))  # [pairs, 2, groups, 32]
    words = wrapped((weights[:, 0] & 0xFFFF) | (weights[:, 1] << 16)).transpose(1, 0, 2)
    offset_sums = OFFSET * rows.sum(axis=1)
    constants = (
        layer.constant("weights", CType.INT32, words, "pairs of weights by groups and pairs"),
        layer.constant("offsets", CType.INT32, _pairs(_offsets(layer, image)), "of pairs of taps"),
        *output_constants(
            layer,
            in_groups(wrapped(found.channels.bias - offset_sums)),
            in_groups(found.constants),
        ),
    )
    return RenderedLayer((_call(layer, image, constants),), constants)


def _offsets(layer: LayerContext, image: Image) -> NDArray[np.int64]:
    """Of every tap from the first one of an output."""
    assert isinstance(layer.node.attributes, Conv2D)
    _, filter_h, filter_w, channels = layer.input(1).shape
    down = np.arange(filter_h) * image.filter_row_step
    across = np.arange(filter_w) * layer.node.attributes.window.dilation_w * channels
    offsets: NDArray[np.int64] = (down[:, None] + across).reshape(-1).astype(np.int64)
    return offsets


def _call(layer: LayerContext, image: Image, constants: tuple[ConstantArray, ...]) -> KernelCall:
    assert isinstance(layer.node.attributes, Conv2D)
    channels = layer.output.shape[3]
    weights, offsets, bias, scaling = constants
    in_rows = layer.node.attributes.window.stride_w == 1 and _is_periodic(channels)
    groups = bias.values.size // GROUP
    values = conv_requantization(layer.graph, layer.node)
    fields: dict[str, Value] = {
        "image": image.margin(values.input_zero_point),
        "output_height": image.output_height,
        "runs": 1 if in_rows else image.output_width,
        "line_step": image.line_step,
        "run_step": image.pixel_step,
        "run_bytes": channels * (image.output_width if in_rows else 1),
        "groups": groups,
        "pairs": offsets.values.size // 2,
        "offsets": Expression(offsets.name),
        "weights": Expression(weights.name),
        "to": output_fields(values.range, bias, scaling),
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
