"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED as calls of the portable kernels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgeflow.backends.firmware.c_text import ConstantArray, CType, Expression, Value
from edgeflow.backends.firmware.kernel_set import KernelCall, LayerContext, RenderedLayer
from edgeflow.backends.firmware.portable_c.operands import clamp_fields
from edgeflow.graph.ir import Conv2D, Tensor
from edgeflow.graph.requantization import ChannelRequantization
from edgeflow.graph.requantize import conv_requantization, fully_connected_requantization


def _wrapped_int32(values: np.ndarray) -> np.ndarray:
    return (values & 0xFFFFFFFF).astype(np.uint32).view(np.int32)


def folded_bias(
    bias: Tensor, weight_sums: np.ndarray, constants: ChannelRequantization
) -> np.ndarray:
    """bias[o] - zero point * sum of filter o, kept to 32 bits: the kernels add modulo 2**32."""
    assert bias.data is not None
    folded = bias.data.astype(np.int64) - constants.input_zero_point * weight_sums
    return _wrapped_int32(folded)


def _channel_constants(
    layer: LayerContext, constants: ChannelRequantization, sum_axes: tuple[int, ...]
) -> tuple[tuple[ConstantArray, ...], dict[str, Value]]:
    """Weights, folded bias and requantization as arrays, and the `to` struct over them."""
    weights = layer.input(1)
    assert weights.data is not None
    sums = weights.data.astype(np.int64).sum(axis=sum_axes).reshape(-1)
    bias = folded_bias(layer.input(2), sums, constants)
    arrays = (
        layer.constant("weights", CType.INT8, weights.data, f"weights {list(weights.shape)}"),
        layer.constant("bias", CType.INT32, bias, "bias with the input zero point folded in"),
        layer.constant("multiplier", CType.INT32, constants.multipliers, "output multipliers"),
        layer.constant("shift", CType.INT8, constants.shifts, "output shifts, positive is left"),
    )
    to: dict[str, Value] = {
        "multiplier": Expression(arrays[2].name),
        "shift": Expression(arrays[3].name),
        **clamp_fields(constants.range, constants.output_zero_point),
    }
    return arrays, to


def _channelwise_call(
    layer: LayerContext,
    function: str,
    fields: Mapping[str, Value],
    arrays: tuple[ConstantArray, ...],
    more_sources: tuple[str, ...] = (),
) -> RenderedLayer:
    call = KernelCall(
        function=function,
        header=f"{function}.h",
        layer_type=f"{function}_layer",
        layer=fields,
        arguments=(
            layer.place(layer.node.inputs[0]),
            Expression(arrays[0].name),
            Expression(arrays[1].name),
            layer.place(layer.node.outputs[0]),
        ),
        sources=(f"{function}.c", *more_sources),
    )
    return RenderedLayer((call,), arrays)


def _window_fields(layer: LayerContext, filter_shape: tuple[int, int]) -> dict[str, Value]:
    assert isinstance(layer.node.attributes, Conv2D)
    window = layer.node.attributes.window
    return {
        "filter_height": filter_shape[0],
        "filter_width": filter_shape[1],
        "stride_height": window.stride_h,
        "stride_width": window.stride_w,
        "dilation_height": window.dilation_h,
        "dilation_width": window.dilation_w,
        "pad_top": window.pad_top,
        "pad_left": window.pad_left,
    }


def _is_pointwise(layer: LayerContext) -> bool:
    """1x1 and without padding; a stride only skips pixels."""
    assert isinstance(layer.node.attributes, Conv2D)
    window = layer.node.attributes.window
    padding = window.pad_top + window.pad_bottom + window.pad_left + window.pad_right
    return layer.input(1).shape[1:3] == (1, 1) and padding == 0


def conv_2d(layer: LayerContext) -> RenderedLayer:
    """CONV_2D; a pointwise one has a kernel of its own."""
    assert isinstance(layer.node.attributes, Conv2D)
    constants = conv_requantization(layer.graph, layer.node)
    arrays, to = _channel_constants(layer, constants, (1, 2, 3))
    _, in_h, in_w, in_c = layer.input(0).shape
    _, out_h, out_w, out_c = layer.output.shape
    if _is_pointwise(layer):
        window = layer.node.attributes.window
        pointwise: dict[str, Value] = {
            "input_channels": in_c,
            "output_channels": out_c,
            "output_height": out_h,
            "output_width": out_w,
            "row_step": window.stride_h * in_w * in_c,
            "column_step": window.stride_w * in_c,
            "to": to,
        }
        more = ("edgeflow_fully_connected.c",)
        return _channelwise_call(layer, "edgeflow_pointwise_conv_2d", pointwise, arrays, more)
    fields: dict[str, Value] = {
        "input_height": in_h,
        "input_width": in_w,
        "input_channels": in_c,
        "output_height": out_h,
        "output_width": out_w,
        "output_channels": out_c,
        **_window_fields(layer, (layer.input(1).shape[1], layer.input(1).shape[2])),
        "input_zero_point": constants.input_zero_point,
        "to": to,
    }
    return _channelwise_call(layer, "edgeflow_conv_2d", fields, arrays)


def depthwise_conv_2d(layer: LayerContext) -> RenderedLayer:
    """DEPTHWISE_CONV_2D with any channel multiplier."""
    constants = conv_requantization(layer.graph, layer.node)
    arrays, to = _channel_constants(layer, constants, (0, 1, 2))
    _, in_h, in_w, in_c = layer.input(0).shape
    _, out_h, out_w, out_c = layer.output.shape
    fields: dict[str, Value] = {
        "input_height": in_h,
        "input_width": in_w,
        "input_channels": in_c,
        "output_height": out_h,
        "output_width": out_w,
        "multiplier": out_c // in_c,
        **_window_fields(layer, (layer.input(1).shape[1], layer.input(1).shape[2])),
        "input_zero_point": constants.input_zero_point,
        "to": to,
    }
    return _channelwise_call(layer, "edgeflow_depthwise_conv_2d", fields, arrays)


def fully_connected(layer: LayerContext) -> RenderedLayer:
    """FULLY_CONNECTED."""
    constants = fully_connected_requantization(layer.graph, layer.node)
    arrays, to = _channel_constants(layer, constants, (1,))
    outputs, inputs = layer.input(1).shape
    fields: dict[str, Value] = {"inputs": inputs, "outputs": outputs, "to": to}
    return _channelwise_call(layer, "edgeflow_fully_connected", fields, arrays)
