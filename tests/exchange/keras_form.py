"""An integer graph rebuilt in tf.keras, with FakeQuant where the graph has a grid.

What TFLiteConverter makes of it is the standard tool's answer to the same question as our writer's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edgeflow.graph.ir import (
    Activation,
    Conv2D,
    Elementwise,
    FullyConnected,
    Graph,
    Mean,
    Node,
    OpKind,
    Pool2D,
    Softmax,
    Tensor,
    Window,
)
from edgeflow.graph.reals import reals

_ACTIVATIONS = {
    Activation.NONE: lambda x: x,
    Activation.RELU: tf.nn.relu,
    Activation.RELU6: tf.nn.relu6,
}


class Network(tf.keras.layers.Layer):  # type: ignore[misc]
    """The whole graph as one layer; constants are its weights."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph

    def call(self, x: Any) -> Any:
        """Float values on the grids."""
        graph = self.graph
        values = {graph.inputs[0]: _on_grid(x, graph.tensors[graph.inputs[0]])}
        for node in graph.nodes:
            name = node.outputs[0]
            value = _OPERATORS[node.kind](graph, node, values)
            # Softmax has a grid of its own in the converter.
            values[name] = _on_grid(value, graph.tensors[name])
        return values[graph.outputs[0]]


def converted(graph: Graph) -> bytes:
    """The `.tflite` file that TFLiteConverter makes of the graph."""
    given = tf.keras.Input(batch_shape=graph.tensors[graph.inputs[0]].shape)
    model = tf.keras.Model(given, Network(graph)(given))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    content: bytes = converter.convert()
    return content


def _on_grid(x: Any, tensor: Tensor) -> Any:
    grid = tensor.quantization
    assert grid is not None
    scale, zero_point = grid.scales[0], grid.zero_points[0]
    low, high = (-128 - zero_point) * scale, (127 - zero_point) * scale
    return tf.quantization.fake_quant_with_min_max_args(x, low, high, num_bits=8)


def _weights(tensor: Tensor, values: NDArray[np.float64]) -> Any:
    """Weights, channels in the last axis, quantized channel by channel."""
    grid = tensor.quantization
    assert grid is not None
    scales = np.broadcast_to(np.asarray(grid.scales), values.shape[-1:]).astype(np.float32)
    return tf.quantization.fake_quant_with_min_max_vars_per_channel(
        tf.constant(values.astype(np.float32)), -127 * scales, 127 * scales, narrow_range=True
    )


def _padded(x: Any, window: Window) -> Any:
    sides = (window.pad_top, window.pad_bottom), (window.pad_left, window.pad_right)
    return tf.pad(x, ((0, 0), *sides, (0, 0)))


def _scheme(graph: Graph, node: Node, kernel: tuple[int, int], window: Window) -> str | None:
    """SAME or VALID where the window is one of them."""
    if not any((window.pad_top, window.pad_bottom, window.pad_left, window.pad_right)):
        return "VALID"
    sizes = graph.tensors[node.inputs[0]].shape[1:3]
    needed = []
    for size, k, stride in zip(sizes, kernel, (window.stride_h, window.stride_w), strict=True):
        total = max((-(-size // stride) - 1) * stride + k - size, 0)
        needed += [total // 2, total - total // 2]
    found = [window.pad_top, window.pad_bottom, window.pad_left, window.pad_right]
    return "SAME" if found == needed else None


def _convolved(graph: Graph, node: Node, values: dict[str, Any]) -> Any:
    assert isinstance(node.attributes, Conv2D)
    window, weights = node.attributes.window, graph.tensors[node.inputs[1]]
    x, whole = values[node.inputs[0]], reals(weights)
    scheme = _scheme(graph, node, whole.shape[1:3], window)
    if scheme is None:
        x, scheme = _padded(x, window), "VALID"
    strides = (1, window.stride_h, window.stride_w, 1)
    if node.kind is OpKind.CONV_2D:
        filters = _weights(weights, whole.transpose(1, 2, 3, 0))
        found = tf.nn.conv2d(x, filters, strides, scheme)
    else:
        _, kernel_h, kernel_w, channels = whole.shape
        filters = tf.reshape(_weights(weights, whole[0]), (kernel_h, kernel_w, channels, 1))
        found = tf.nn.depthwise_conv2d(x, filters, strides, scheme)
    bias = reals(graph.tensors[node.inputs[2]]).astype(np.float32)
    return _ACTIVATIONS[node.attributes.activation](tf.nn.bias_add(found, bias))


def _dense(graph: Graph, node: Node, values: dict[str, Any]) -> Any:
    """With one scale: the converter transposes no weights that have several."""
    assert isinstance(node.attributes, FullyConnected)
    weights = graph.tensors[node.inputs[1]]
    assert weights.quantization is not None
    (scale,) = weights.quantization.scales
    filters = tf.quantization.fake_quant_with_min_max_args(
        tf.constant(reals(weights).astype(np.float32)), -127 * scale, 127 * scale, narrow_range=True
    )
    bias = reals(graph.tensors[node.inputs[2]]).astype(np.float32)
    found = tf.matmul(values[node.inputs[0]], filters, transpose_b=True)
    return _ACTIVATIONS[node.attributes.activation](tf.nn.bias_add(found, bias))


def _added(graph: Graph, node: Node, values: dict[str, Any]) -> Any:
    assert isinstance(node.attributes, Elementwise)
    first, second = (values[name] for name in node.inputs)
    return _ACTIVATIONS[node.attributes.activation](first + second)


def _pooled(graph: Graph, node: Node, values: dict[str, Any]) -> Any:
    attributes = node.attributes
    assert isinstance(attributes, Pool2D)
    kernel = attributes.kernel_h, attributes.kernel_w
    strides = attributes.window.stride_h, attributes.window.stride_w
    scheme = _scheme(graph, node, kernel, attributes.window)
    assert scheme is not None
    pool = tf.nn.max_pool2d if node.kind is OpKind.MAX_POOL_2D else tf.nn.avg_pool2d
    return _ACTIVATIONS[attributes.activation](
        pool(values[node.inputs[0]], kernel, strides, scheme)
    )


def _mean(graph: Graph, node: Node, values: dict[str, Any]) -> Any:
    assert isinstance(node.attributes, Mean)
    attributes = node.attributes
    return tf.reduce_mean(values[node.inputs[0]], attributes.axes, attributes.keep_dims)


def _softmax(graph: Graph, node: Node, values: dict[str, Any]) -> Any:
    assert isinstance(node.attributes, Softmax)
    return tf.nn.softmax(values[node.inputs[0]])


def _reshaped(graph: Graph, node: Node, values: dict[str, Any]) -> Any:
    return tf.reshape(values[node.inputs[0]], graph.tensors[node.outputs[0]].shape)


_OPERATORS = {
    OpKind.CONV_2D: _convolved,
    OpKind.DEPTHWISE_CONV_2D: _convolved,
    OpKind.FULLY_CONNECTED: _dense,
    OpKind.ADD: _added,
    OpKind.AVERAGE_POOL_2D: _pooled,
    OpKind.MAX_POOL_2D: _pooled,
    OpKind.MEAN: _mean,
    OpKind.RESHAPE: _reshaped,
    OpKind.SOFTMAX: _softmax,
}
