"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED as calls of the portable kernels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.c_text import ConstantArray, CType, Expression, Value
from edgeflow.backends.firmware.one_multiply import DenseOutputs, dense_outputs
from edgeflow.backends.firmware.packing import (
    INTERLEAVED_OUTPUTS,
    interleaved_words,
    stored_bits,
)
from edgeflow.backends.firmware.portable_c.operands import clamp_fields
from edgeflow.backends.firmware.portable_c.unpacking import filter_bytes, filter_in_memory
from edgeflow.backends.firmware.rendering import KernelCall, LayerContext, RenderedLayer
from edgeflow.graph.ir import Conv2D, Graph, Node, OpKind
from edgeflow.graph.requantization import ChannelRequantization, DenseRequantization
from edgeflow.graph.requantize import conv_requantization, fully_connected_requantization

_REQUANTIZE = ("edgeflow_requantize.c",)
_DEPTHWISE = ("edgeflow_taps.c", *_REQUANTIZE)
_SUMS = ("edgeflow_sums.c",)
_FOLDED_BIAS = "bias, input zero point folded in"
_PIXEL = ("edgeflow_pixel.c", *_SUMS, *_REQUANTIZE)


def interleaved(rows: NDArray[np.int8]) -> NDArray[np.int8]:
    """Weights [out, in] in the order of `edgeflow_sums`: blocks of four outputs, flat."""
    outputs, inputs = rows.shape
    whole = outputs - outputs % INTERLEAVED_OUTPUTS
    blocks = rows[:whole].reshape(-1, INTERLEAVED_OUTPUTS, inputs).transpose(0, 2, 1)
    return np.concatenate([blocks.reshape(-1), rows[whole:].reshape(-1)])


def folded_bias(
    bias: NDArray[np.int32], weight_sums: NDArray[np.int64], zero_point: int
) -> NDArray[np.int32]:
    """bias[o] - zero point * sum of filter o, modulo 2**32 as the kernels add."""
    folded = bias.astype(np.int64) - zero_point * weight_sums
    return (folded & 0xFFFFFFFF).astype(np.uint32).view(np.int32)


@dataclass(frozen=True)
class ChannelArrays:
    """Arrays of one entry per output channel, and the fields of a struct that point to them."""

    arrays: tuple[ConstantArray, ...]
    fields: Mapping[str, Value]


def _channel_scaling(layer: LayerContext, values: ChannelRequantization) -> ChannelArrays:
    """The struct `edgeflow_requantization`."""
    arrays = (
        layer.constant("multiplier", CType.INT32, values.multipliers, "multipliers"),
        layer.constant("shift", CType.INT8, values.shifts, "shifts, positive is left"),
    )
    fields: dict[str, Value] = {
        "multiplier": Expression(arrays[0].name),
        "shift": Expression(arrays[1].name),
        **clamp_fields(values.range, values.output_zero_point),
    }
    return ChannelArrays(arrays, fields)


def _one_multiply(layer: LayerContext, found: DenseOutputs) -> ChannelArrays:
    """What `edgeflow_one_multiply` takes."""
    multipliers = found.multipliers[: 1 if found.share_multiplier else None]
    array = layer.constant("multiplier", CType.INT32, multipliers, "multipliers")
    fields: dict[str, Value] = {
        "multiplier": Expression(array.name),
        "multiplier_step": 0 if found.share_multiplier else 1,
        "shift": found.shift,
    }
    return ChannelArrays((array,), fields)


def _as_double(layer: LayerContext, values: DenseRequantization) -> ChannelArrays:
    """What `edgeflow_as_double` takes: multipliers of up to 53 bits in two words."""
    low = [multiplier & 0xFFFFFFFF for multiplier in values.multipliers]
    high = [multiplier >> 32 for multiplier in values.multipliers]
    shifts = [right_shift - 32 for right_shift in values.right_shifts]
    arrays = (
        layer.constant("multiplier_low", CType.UINT32, low, "multipliers, low words"),
        layer.constant("multiplier_high", CType.UINT32, high, "multipliers, high words"),
        layer.constant("right_shift", CType.INT8, shifts, "right shifts less 32"),
    )
    fields: dict[str, Value] = {
        "multiplier_low": Expression(arrays[0].name),
        "multiplier_high": Expression(arrays[1].name),
        "right_shift": Expression(arrays[2].name),
    }
    return ChannelArrays(arrays, fields)


def _bias(layer: LayerContext, rows: NDArray[np.int8], zero_point: int) -> ConstantArray:
    bias = layer.input(2).data
    assert bias is not None
    sums = rows.sum(axis=1, dtype=np.int64)
    folded = folded_bias(bias.astype(np.int32), sums, zero_point)
    return layer.constant("bias", CType.INT32, folded, _FOLDED_BIAS)


def _dense_weights(layer: LayerContext, rows: NDArray[np.int8]) -> ConstantArray:
    what = f"weights {list(layer.input(1).shape)}, four outputs interleaved"
    bits = stored_bits(layer.input(1))
    if bits < 8:
        words = interleaved_words(rows, bits)
        return layer.constant("weights", CType.UINT32, words, f"int{bits} {what}")
    return layer.constant("weights", CType.INT8, interleaved(rows), what)


def _pixel_function(layer: LayerContext) -> tuple[Expression, tuple[str, ...]]:
    """The function of one pixel for the layer's width of weights, and its sources."""
    bits = stored_bits(layer.input(1))
    if bits == 8:
        return Expression("edgeflow_pixel"), _PIXEL
    sources = (f"edgeflow_int{bits}_pixel.c", f"edgeflow_int{bits}_sums.c", *_REQUANTIZE)
    return Expression(f"edgeflow_int{bits}_pixel"), sources


def _call(
    layer: LayerContext,
    function: str,
    fields: Mapping[str, Value],
    operands: tuple[Expression, ...],
    more_sources: tuple[str, ...],
) -> KernelCall:
    return KernelCall(
        function=function,
        header=f"{function}.h",
        layer_type=f"{function}_layer",
        layer=fields,
        arguments=(
            layer.place(layer.node.inputs[0]),
            *operands,
            layer.place(layer.node.outputs[0]),
        ),
        sources=(f"{function}.c", *more_sources),
    )


def weight_rows(layer: LayerContext, output_axis: int) -> NDArray[np.int8]:
    """Weights as [out, taps]."""
    weights = layer.input(1).data
    assert weights is not None
    rows = np.moveaxis(weights.astype(np.int8), output_axis, 0)
    return rows.reshape(rows.shape[0], -1)


def window_fields(layer: LayerContext) -> dict[str, Value]:
    """Filter, stride, dilation and padding of a convolution's struct."""
    assert isinstance(layer.node.attributes, Conv2D)
    window = layer.node.attributes.window
    _, filter_h, filter_w, _ = layer.input(1).shape
    return {
        "filter_height": filter_h,
        "filter_width": filter_w,
        "stride_height": window.stride_h,
        "stride_width": window.stride_w,
        "dilation_height": window.dilation_h,
        "dilation_width": window.dilation_w,
        "pad_top": window.pad_top,
        "pad_left": window.pad_left,
    }


def is_pointwise(graph: Graph, node: Node) -> bool:
    """1x1 and without padding; a stride only skips pixels."""
    assert isinstance(node.attributes, Conv2D)
    window = node.attributes.window
    padding = window.pad_top + window.pad_bottom + window.pad_left + window.pad_right
    return graph.tensors[node.inputs[1]].shape[1:3] == (1, 1) and padding == 0


def scratch_bytes(graph: Graph, node: Node) -> int:
    """Working memory of a kernel: `edgeflow_conv_2d` gathers the inputs of one output pixel."""
    if node.kind is OpKind.DEPTHWISE_CONV_2D:
        return filter_bytes(graph, node, int(np.prod(graph.tensors[node.inputs[1]].shape)))
    if node.kind is not OpKind.CONV_2D or is_pointwise(graph, node):
        return 0
    return int(np.prod(graph.tensors[node.inputs[1]].shape[1:]))


def conv_2d(layer: LayerContext) -> RenderedLayer:
    """CONV_2D; a pointwise one has a kernel of its own."""
    assert isinstance(layer.node.attributes, Conv2D)
    values = conv_requantization(layer.graph, layer.node)
    rows = weight_rows(layer, 0)
    scaling = _channel_scaling(layer, values)
    bias = _bias(layer, rows, values.input_zero_point)
    constants = (_dense_weights(layer, rows), bias, *scaling.arrays)
    operands = tuple(Expression(array.name) for array in constants[:2])
    _, in_h, in_w, in_c = layer.input(0).shape
    _, out_h, out_w, _ = layer.output.shape
    pixel: Value = {"inputs": rows.shape[1], "outputs": rows.shape[0], "to": scaling.fields}
    convolve, sources = _pixel_function(layer)
    if is_pointwise(layer.graph, layer.node):
        window = layer.node.attributes.window
        pointwise: dict[str, Value] = {
            "output_height": out_h,
            "output_width": out_w,
            "row_step": window.stride_h * in_w * in_c,
            "column_step": window.stride_w * in_c,
            "convolve": convolve,
            "pixel": pixel,
        }
        call = _call(layer, "edgeflow_pointwise_conv_2d", pointwise, operands, sources)
        return RenderedLayer((call,), constants)
    fields: dict[str, Value] = {
        "input_height": in_h,
        "input_width": in_w,
        "input_channels": in_c,
        "output_height": out_h,
        "output_width": out_w,
        **window_fields(layer),
        "input_zero_point": values.input_zero_point,
        "convolve": convolve,
        "pixel": pixel,
    }
    call = _call(layer, "edgeflow_conv_2d", fields, (*operands, layer.scratch()), sources)
    return RenderedLayer((call,), constants)


def depthwise_conv_2d(layer: LayerContext) -> RenderedLayer:
    """DEPTHWISE_CONV_2D with any channel multiplier."""
    values = conv_requantization(layer.graph, layer.node)
    rows = weight_rows(layer, 3)
    weights = filter_in_memory(layer, rows.T, f"weights {list(layer.input(1).shape)}", 0)
    scaling = _channel_scaling(layer, values)
    bias = layer.constant("bias", CType.INT32, layer.input(2).data, "bias")
    _, in_h, in_w, in_c = layer.input(0).shape
    _, out_h, out_w, out_c = layer.output.shape
    fields: dict[str, Value] = {
        "input_height": in_h,
        "input_width": in_w,
        "input_channels": in_c,
        "output_height": out_h,
        "output_width": out_w,
        "multiplier": out_c // in_c,
        **window_fields(layer),
        "input_zero_point": values.input_zero_point,
        "to": scaling.fields,
    }
    operands = (weights.place, Expression(bias.name))
    call = _call(layer, "edgeflow_depthwise_conv_2d", fields, operands, _DEPTHWISE)
    return RenderedLayer((*weights.calls, call), (weights.constant, bias, *scaling.arrays))


def fully_connected(layer: LayerContext) -> RenderedLayer:
    """FULLY_CONNECTED."""
    values = fully_connected_requantization(layer.graph, layer.node)
    short = dense_outputs(layer.graph, layer.node)
    if short is None:
        rows = weight_rows(layer, 0)
        bias = _bias(layer, rows, values.input_zero_point)
        scaling, scale = _as_double(layer, values), "edgeflow_as_double"
    else:
        rows = short.rows
        bias = layer.constant("bias", CType.INT32, short.folded_bias, _FOLDED_BIAS)
        scaling, scale = _one_multiply(layer, short), "edgeflow_one_multiply"
    constants = (_dense_weights(layer, rows), bias, *scaling.arrays)
    fields: dict[str, Value] = {
        "inputs": rows.shape[1],
        "outputs": rows.shape[0],
        "to": {
            "scale": Expression(scale),
            **clamp_fields(values.range, values.output_zero_point),
            **scaling.fields,
        },
    }
    operands = tuple(Expression(array.name) for array in constants[:2])
    bits = stored_bits(layer.input(1))
    if bits == 8:
        call = _call(layer, "edgeflow_fully_connected", fields, operands, (*_SUMS, f"{scale}.c"))
    else:
        given = _call(layer, "edgeflow_fully_connected", fields, operands, ())
        call = replace(
            given,
            function=f"edgeflow_int{bits}_fully_connected",
            header="edgeflow_packed_fully_connected.h",
            sources=(
                f"edgeflow_int{bits}_fully_connected.c",
                f"edgeflow_int{bits}_sums.c",
                f"{scale}.c",
            ),
        )
    return RenderedLayer((call,), constants)
