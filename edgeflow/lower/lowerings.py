"""Operators of step networks to nodes of the integer graph, one function each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import cast

import numpy as np
from torch import nn

from edgeflow.errors import UnsupportedOperatorError
from edgeflow.graph.ir import (
    Concatenation,
    Conv2D,
    Elementwise,
    FullyConnected,
    Mean,
    NoAttributes,
    OpKind,
    Pad,
    Pool2D,
    Softmax,
    Window,
)
from edgeflow.lower.builder import GraphBuilder
from edgeflow.lower.constants import bias_tensor, weights_tensor
from edgeflow.lower.layout import element_order, nhwc_axis
from edgeflow.quantize import operators as ops
from edgeflow.quantize.network import Step

Lowering = Callable[[GraphBuilder, Step], None]


def _convolution(b: GraphBuilder, step: Step) -> None:
    layer = cast(ops.Convolution, b.network.operator(step.name))
    (top, left), (stride_h, stride_w) = layer.padding, layer.stride
    window = Window(
        stride_h=stride_h,
        stride_w=stride_w,
        pad_top=top,
        pad_left=left,
        dilation_h=layer.dilation[0],
        dilation_w=layer.dilation[1],
    )
    kernel = (layer.weight.shape[2], layer.weight.shape[3])
    window = _with_end_padding(window, kernel, _area(b, step.inputs[0]), step.shape[1:])
    kind = OpKind.DEPTHWISE_CONV_2D if layer.is_depthwise else OpKind.CONV_2D
    b.add_node(step, kind, Conv2D(window, b.activation(step)), _constants(b, step, layer))


def _dense(b: GraphBuilder, step: Step) -> None:
    layer = cast(ops.Dense, b.network.operator(step.name))
    attributes = FullyConnected(b.activation(step))
    b.add_node(step, OpKind.FULLY_CONNECTED, attributes, _constants(b, step, layer))


def _constants(b: GraphBuilder, step: Step, layer: ops.Convolution | ops.Dense) -> tuple[str, str]:
    x = step.inputs[0]
    weights = weights_tensor(f"{step.name}.weights", layer, b.order(x))
    bias = bias_tensor(f"{step.name}.bias", layer, b.scale(x))
    return b.add_constant(weights), b.add_constant(bias)


def _area(b: GraphBuilder, tensor: str) -> tuple[int, int]:
    _, height, width, _ = b.tensors[tensor].shape
    return height, width


def _with_end_padding(
    window: Window,
    kernel: tuple[int, int],
    area: tuple[int, int],
    result: tuple[int, ...],
) -> Window:
    """Bottom and right padding that the last kernel position reaches, and no more.

    torch pads both ends equally and leaves the rest of the far end unused (or, with ceil_mode, goes
    beyond it); the used part alone is what may equal TensorFlow's "same" padding.
    """
    extent_h = (kernel[0] - 1) * window.dilation_h + 1
    extent_w = (kernel[1] - 1) * window.dilation_w + 1
    used_h = (result[0] - 1) * window.stride_h + extent_h - window.pad_top
    used_w = (result[1] - 1) * window.stride_w + extent_w - window.pad_left
    return Window(
        stride_h=window.stride_h,
        stride_w=window.stride_w,
        pad_top=window.pad_top,
        pad_bottom=max(0, used_h - area[0]),
        pad_left=window.pad_left,
        pad_right=max(0, used_w - area[1]),
        dilation_h=window.dilation_h,
        dilation_w=window.dilation_w,
    )


def _pool_attributes(b: GraphBuilder, step: Step, pool: ops.MaxPool | ops.AveragePool) -> Pool2D:
    window = Window(
        stride_h=pool.stride[0],
        stride_w=pool.stride[1],
        pad_top=pool.padding[0],
        pad_left=pool.padding[1],
    )
    window = _with_end_padding(window, pool.kernel, _area(b, step.inputs[0]), step.shape[1:])
    return Pool2D(pool.kernel[0], pool.kernel[1], window)


def _average_pool(b: GraphBuilder, step: Step) -> None:
    pool = cast(ops.AveragePool, b.network.operator(step.name))
    b.add_node(step, OpKind.AVERAGE_POOL_2D, _pool_attributes(b, step, pool))


def _max_pool(b: GraphBuilder, step: Step) -> None:
    pool = cast(ops.MaxPool, b.network.operator(step.name))
    attributes, source = _pool_attributes(b, step, pool), step.inputs[0]
    if not _is_tensorflow_padding(attributes, _area(b, source)) and b.zero_point(source) == -128:
        # Zero is the lowest value of the grid, so padding with it changes no maximum; and the
        # graph can be written as TensorFlow Lite, whose pools know no other paddings.
        window = attributes.window
        rows = (window.pad_top, window.pad_bottom)
        columns = (window.pad_left, window.pad_right)
        source = b.add_padding(f"{step.name}.pad", source, ((0, 0), rows, columns, (0, 0)))
        window = Window(stride_h=window.stride_h, stride_w=window.stride_w)
        attributes = Pool2D(attributes.kernel_h, attributes.kernel_w, window)
        step = replace(step, inputs=(source,))
    b.add_node(step, OpKind.MAX_POOL_2D, attributes)


def _is_tensorflow_padding(pool: Pool2D, area: tuple[int, int]) -> bool:
    """Whether the padding is "valid" or "same" in TensorFlow's sense, along both axes."""
    window = pool.window
    given = (window.pad_top, window.pad_bottom), (window.pad_left, window.pad_right)
    same = (
        _same_padding(area[0], pool.kernel_h, window.stride_h),
        _same_padding(area[1], pool.kernel_w, window.stride_w),
    )
    return given in (same, ((0, 0), (0, 0)))


def _same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
    return total // 2, total - total // 2


def _two_operands(kind: OpKind) -> Lowering:
    def lower(b: GraphBuilder, step: Step) -> None:
        first, second = step.inputs
        order = b.order(first)
        if len(b.order(second)) == len(order) and not np.array_equal(order, b.order(second)):
            b.require_natural_order(first, step)
            b.require_natural_order(second, step)
        if len(b.order(second)) not in (1, len(order)):
            b.require_natural_order(first, step)
        b.add_node(step, kind, Elementwise(b.activation(step)), order=order)

    return lower


def _elementwise(kind: OpKind) -> Lowering:
    def lower(b: GraphBuilder, step: Step) -> None:
        b.add_node(step, kind, NoAttributes(), order=b.order(step.inputs[0]))

    return lower


def _softmax(b: GraphBuilder, step: Step) -> None:
    b.add_node(step, OpKind.SOFTMAX, Softmax(), order=b.order(step.inputs[0]))


def _concatenate(b: GraphBuilder, step: Step) -> None:
    operator = cast(ops.Concatenate, b.network.operator(step.name))
    rank = len(step.shape) + 1
    order = None
    if rank == 2:
        sizes = [len(b.order(name)) for name in step.inputs]
        starts = np.cumsum([0, *sizes[:-1]])
        parts = [b.order(n) + start for n, start in zip(step.inputs, starts, strict=True)]
        order = np.concatenate(parts)
    attributes = Concatenation(nhwc_axis(operator.dim, rank))
    b.add_node(step, OpKind.CONCATENATION, attributes, order=order)


def _mean(b: GraphBuilder, step: Step) -> None:
    operator = cast(ops.Mean, b.network.operator(step.name))
    axes = tuple(sorted(nhwc_axis(dim, 4) for dim in operator.dims))
    b.add_node(step, OpKind.MEAN, Mean(axes, operator.keep_dims))


def _reshape(b: GraphBuilder, step: Step) -> None:
    order = b.order(step.inputs[0])
    if len(step.shape) == 3 and not np.array_equal(order, element_order(step.shape)):
        raise UnsupportedOperatorError(
            f"the reshape to [N, {', '.join(map(str, step.shape))}] in {step.where} moves "
            f"elements: devices hold feature maps as [H, W, C]",
            hint="reshape to [N, C, 1, 1], or keep [N, C, H, W] throughout",
        )
    b.add_node(step, OpKind.RESHAPE, NoAttributes(), order=order)


def _zero_pad(b: GraphBuilder, step: Step) -> None:
    pad = cast(ops.ZeroPad, b.network.operator(step.name))
    pads = ((0, 0), (pad.top, pad.bottom), (pad.left, pad.right), (0, 0))
    b.add_node(step, OpKind.PAD, Pad(pads))


LOWERINGS: Mapping[type[nn.Module], Lowering] = {
    ops.Add: _two_operands(OpKind.ADD),
    ops.AveragePool: _average_pool,
    ops.Concatenate: _concatenate,
    ops.Convolution: _convolution,
    ops.Dense: _dense,
    ops.MaxPool: _max_pool,
    ops.Mean: _mean,
    ops.Multiply: _two_operands(OpKind.MUL),
    ops.Relu: _elementwise(OpKind.RELU),
    ops.Relu6: _elementwise(OpKind.RELU6),
    ops.Requantize: _elementwise(OpKind.QUANTIZE),
    ops.Reshape: _reshape,
    ops.Sigmoid: _elementwise(OpKind.LOGISTIC),
    ops.Softmax: _softmax,
    ops.ZeroPad: _zero_pad,
}
