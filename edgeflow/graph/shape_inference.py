"""Output shapes from inputs and attributes, with the attributes' legality."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from edgeflow.errors import GraphError
from edgeflow.graph.ir import (
    Concatenation,
    Conv2D,
    Graph,
    Mean,
    Node,
    OpKind,
    Pad,
    Pool2D,
    Softmax,
    Tensor,
    Window,
)

Shape = tuple[int, ...]

# At 512 equal logits the reference kernel would shift by 32 bits; newer ones abort there.
MAX_SOFTMAX_ENTRIES = 511


def infer_shape(graph: Graph, node: Node) -> Shape:
    """The shape of the node's output; RESHAPE takes it from the output tensor itself.

    Raises:
        GraphError: input shapes or attributes that the operator does not take.
    """
    inputs = [graph.tensors[name] for name in node.inputs]
    if node.kind is OpKind.RESHAPE:
        return _reshape(node, inputs, graph.tensors[node.outputs[0]].shape)
    return _RULES[node.kind](node, inputs)


def window_output_size(
    size: int, kernel: int, stride: int, dilation: int, pad_before: int, pad_after: int
) -> int:
    """Number of kernel positions along one axis (all in elements); below 1 if it does not fit."""
    extent = (kernel - 1) * dilation + 1
    return (size + pad_before + pad_after - extent) // stride + 1


def _error(node: Node, message: str, hint: str) -> GraphError:
    return GraphError(f"node '{node.name}' ({node.kind}): {message}", hint=hint)


def _windowed(
    node: Node, x: Tensor, kernel: tuple[int, int], window: Window, channels: int
) -> Shape:
    if len(x.shape) != 4:
        raise _error(node, f"input of shape {list(x.shape)}", "It takes [1, H, W, C].")
    pads = (window.pad_top, window.pad_bottom, window.pad_left, window.pad_right)
    steps = (window.stride_h, window.stride_w, window.dilation_h, window.dilation_w)
    if min(steps) < 1 or min(pads) < 0 or min(kernel) < 1:
        raise _error(
            node,
            f"kernel {kernel}, strides and dilations {steps}, paddings {pads}",
            "Kernel, strides and dilations are at least 1, paddings at least 0.",
        )
    height = window_output_size(
        x.shape[1], kernel[0], window.stride_h, window.dilation_h, window.pad_top, window.pad_bottom
    )
    width = window_output_size(
        x.shape[2], kernel[1], window.stride_w, window.dilation_w, window.pad_left, window.pad_right
    )
    if height < 1 or width < 1:
        raise _error(
            node,
            f"a kernel of {kernel[0]}x{kernel[1]} with {window} does not fit an input of "
            f"{x.shape[1]}x{x.shape[2]}",
            "Make the input or the padding larger, or the kernel smaller.",
        )
    return (1, height, width, channels)


def _conv_2d(node: Node, inputs: list[Tensor]) -> Shape:
    assert isinstance(node.attributes, Conv2D)
    x, weights, bias = inputs
    legal = len(weights.shape) == 4 and len(x.shape) == 4 and 0 not in (*x.shape, *weights.shape)
    groups, rest = divmod(x.shape[3], weights.shape[3]) if legal else (0, 0)
    if rest != 0 or groups == 0 or weights.shape[0] % groups != 0:
        raise _error(
            node,
            f"weights {list(weights.shape)} on input {list(x.shape)}",
            "Weights are [O, KH, KW, I / groups] with the input's I; groups divide I and O.",
        )
    _check_bias(node, bias, weights.shape[0])
    kernel = (weights.shape[1], weights.shape[2])
    return _windowed(node, x, kernel, node.attributes.window, weights.shape[0])


def _depthwise_conv_2d(node: Node, inputs: list[Tensor]) -> Shape:
    assert isinstance(node.attributes, Conv2D)
    x, weights, bias = inputs
    legal = len(weights.shape) == 4 and len(x.shape) == 4 and weights.shape[0] == 1
    if not legal or weights.shape[3] % x.shape[3] != 0:
        raise _error(
            node,
            f"weights {list(weights.shape)} on input {list(x.shape)}",
            "Weights are [1, KH, KW, C * multiplier] with the input's C.",
        )
    _check_bias(node, bias, weights.shape[3])
    kernel = (weights.shape[1], weights.shape[2])
    return _windowed(node, x, kernel, node.attributes.window, weights.shape[3])


def _fully_connected(node: Node, inputs: list[Tensor]) -> Shape:
    x, weights, bias = inputs
    if len(x.shape) != 2 or len(weights.shape) != 2 or weights.shape[1] != x.shape[1]:
        raise _error(
            node,
            f"weights {list(weights.shape)} on input {list(x.shape)}",
            "The input is [1, in] and the weights [out, in].",
        )
    _check_bias(node, bias, weights.shape[0])
    return (1, weights.shape[0])


def _check_bias(node: Node, bias: Tensor, channels: int) -> None:
    if bias.shape != (channels,):
        raise _error(node, f"bias of shape {list(bias.shape)}", f"It must be [{channels}].")


def _elementwise(node: Node, inputs: list[Tensor]) -> Shape:
    first, second = inputs
    if first.shape == second.shape:
        return first.shape
    for large, small in ((first, second), (second, first)):
        one_element = math.prod(small.shape) == 1 and len(small.shape) <= len(large.shape)
        per_channel = len(large.shape) == 4 and small.shape == (1, 1, 1, large.shape[3])
        if one_element or per_channel:
            if large.is_constant:
                raise _error(
                    node,
                    f"the constant '{large.name}' is larger than the activation '{small.name}'",
                    "The activation must have the output's shape.",
                )
            return large.shape
    raise _error(
        node,
        f"inputs of shapes {list(first.shape)} and {list(second.shape)}",
        "Shapes must be equal, or one [1, 1, 1, C] or of one element.",
    )


def _pool_2d(node: Node, inputs: list[Tensor]) -> Shape:
    assert isinstance(node.attributes, Pool2D)
    (x,) = inputs
    window = node.attributes.window
    kernel = (node.attributes.kernel_h, node.attributes.kernel_w)
    if window.dilation_h != 1 or window.dilation_w != 1:
        raise _error(node, "the kernel is dilated", "Pooling takes no dilation.")
    shape = _windowed(node, x, kernel, window, x.shape[-1])
    last_row = (shape[1] - 1) * window.stride_h - window.pad_top
    last_column = (shape[2] - 1) * window.stride_w - window.pad_left
    first_empty = window.pad_top >= kernel[0] or window.pad_left >= kernel[1]
    if first_empty or last_row >= x.shape[1] or last_column >= x.shape[2]:
        raise _error(
            node,
            f"a kernel of {kernel[0]}x{kernel[1]} with {window} lies wholly in the padding",
            "Paddings must be smaller than the kernel.",
        )
    return shape


def _mean(node: Node, inputs: list[Tensor]) -> Shape:
    assert isinstance(node.attributes, Mean)
    (x,) = inputs
    axes = node.attributes.axes
    if not axes or sorted(set(axes)) != list(axes) or axes[0] < 1 or axes[-1] >= len(x.shape):
        raise _error(
            node,
            f"axes {list(axes)} of an input of shape {list(x.shape)}",
            "Axes are ascending, distinct, and never the batch.",
        )
    if node.attributes.keep_dims:
        return tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
    return tuple(size for axis, size in enumerate(x.shape) if axis not in axes)


def _pad(node: Node, inputs: list[Tensor]) -> Shape:
    assert isinstance(node.attributes, Pad)
    (x,) = inputs
    pads = node.attributes.pads
    if len(pads) != len(x.shape) or pads[0] != (0, 0) or min(min(pair) for pair in pads) < 0:
        raise _error(
            node,
            f"pads {pads} of an input of shape {list(x.shape)}",
            "One pair for each dimension, none negative, the batch's (0, 0).",
        )
    return tuple(size + sum(pair) for size, pair in zip(x.shape, pads, strict=True))


def _reshape(node: Node, inputs: list[Tensor], output: Shape) -> Shape:
    (x,) = inputs
    if math.prod(x.shape) != math.prod(output):
        raise _error(
            node,
            f"{list(x.shape)} to {list(output)}",
            "The number of elements must stay.",
        )
    return output


def _concatenation(node: Node, inputs: list[Tensor]) -> Shape:
    assert isinstance(node.attributes, Concatenation)
    axis, shapes = node.attributes.axis, [tensor.shape for tensor in inputs]
    legal = all(len(shape) == len(shapes[0]) for shape in shapes)
    if not legal or not 1 <= axis < len(shapes[0]):
        raise _error(
            node,
            f"axis {axis} of inputs of shapes {[list(shape) for shape in shapes]}",
            "Inputs have one rank; the axis is one of theirs, never the batch.",
        )
    without = {shape[:axis] + shape[axis + 1 :] for shape in shapes}
    if len(without) != 1:
        raise _error(
            node,
            f"inputs of shapes {[list(shape) for shape in shapes]} along axis {axis}",
            "All other dimensions must be equal.",
        )
    joined = sum(shape[axis] for shape in shapes)
    return (*shapes[0][:axis], joined, *shapes[0][axis + 1 :])


def _softmax(node: Node, inputs: list[Tensor]) -> Shape:
    assert isinstance(node.attributes, Softmax)
    (x,) = inputs
    beta = node.attributes.beta
    if len(x.shape) < 2 or x.shape[-1] > MAX_SOFTMAX_ENTRIES:
        raise _error(
            node,
            f"over {x.shape[-1]} entries of an input of shape {list(x.shape)}",
            f"At most {MAX_SOFTMAX_ENTRIES}; the largest logit is the same without the softmax.",
        )
    if not (math.isfinite(beta) and beta > 0.0):
        raise _error(node, f"beta {beta}", "It must be finite and above 0.")
    return x.shape


def _same_shape(node: Node, inputs: list[Tensor]) -> Shape:
    return inputs[0].shape


_RULES: Mapping[OpKind, Callable[[Node, list[Tensor]], Shape]] = {
    OpKind.CONV_2D: _conv_2d,
    OpKind.DEPTHWISE_CONV_2D: _depthwise_conv_2d,
    OpKind.FULLY_CONNECTED: _fully_connected,
    OpKind.ADD: _elementwise,
    OpKind.MUL: _elementwise,
    OpKind.AVERAGE_POOL_2D: _pool_2d,
    OpKind.MAX_POOL_2D: _pool_2d,
    OpKind.MEAN: _mean,
    OpKind.PAD: _pad,
    OpKind.CONCATENATION: _concatenation,
    OpKind.SOFTMAX: _softmax,
    OpKind.RELU: _same_shape,
    OpKind.RELU6: _same_shape,
    OpKind.LOGISTIC: _same_shape,
    OpKind.QUANTIZE: _same_shape,
}
