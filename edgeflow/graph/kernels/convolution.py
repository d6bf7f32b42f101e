"""CONV_2D and DEPTHWISE_CONV_2D with exact accumulators."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeflow.graph.groups import groups
from edgeflow.graph.ir import Conv2D, Graph, Node
from edgeflow.graph.kernels.arrays import (
    Int8Array,
    Value,
    batch_slices,
    int8_value,
    pad_image,
    requantize_channels,
    sliding_windows,
)
from edgeflow.graph.kernels.dense import exact_product
from edgeflow.graph.requantize import conv_requantization


def conv_2d(graph: Graph, node: Node, inputs: Sequence[Value]) -> Int8Array:
    """x [N, H, W, I], weights [O, KH, KW, I / groups], bias [O] to [N, OH, OW, O]."""
    assert isinstance(node.attributes, Conv2D)
    window = node.attributes.window
    constants = conv_requantization(graph, node)
    x, weights, bias = int8_value(inputs[0]), int8_value(inputs[1]), inputs[2]
    out_channels, kernel_h, kernel_w, group_channels = weights.shape
    depth = kernel_h * kernel_w * group_channels
    matrices = np.split(weights.reshape(out_channels, depth), groups(graph, node))
    out_h, out_w, _ = graph.tensors[node.outputs[0]].shape[1:]
    output = np.empty((len(x), out_h, out_w, out_channels), np.int8)
    for part in batch_slices(len(x), out_h * out_w * max(depth, out_channels)):
        padded = pad_image(x[part], window, constants.input_zero_point)
        windows = sliding_windows(padded, (kernel_h, kernel_w), window)
        sums = []
        for pixels, matrix in zip(np.split(windows, len(matrices), axis=-1), matrices, strict=True):
            rows = pixels.reshape(-1, depth).astype(np.int16) - constants.input_zero_point
            sums.append(exact_product(rows, matrix))
        accumulators = np.concatenate(sums, axis=-1) + bias.astype(np.int64)
        output[part] = requantize_channels(accumulators, constants).reshape(output[part].shape)
    return output


def depthwise_conv_2d(graph: Graph, node: Node, inputs: Sequence[Value]) -> Int8Array:
    """x [N, H, W, C], weights [1, KH, KW, C * M], bias [C * M] to [N, OH, OW, C * M]."""
    assert isinstance(node.attributes, Conv2D)
    window = node.attributes.window
    constants = conv_requantization(graph, node)
    x, weights, bias = int8_value(inputs[0]), int8_value(inputs[1]), inputs[2]
    _, kernel_h, kernel_w, out_channels = weights.shape
    in_channels = x.shape[-1]
    out_h, out_w, _ = graph.tensors[node.outputs[0]].shape[1:]
    taps = weights.reshape(kernel_h, kernel_w, in_channels, -1).astype(np.int32)
    output = np.empty((len(x), out_h, out_w, out_channels), np.int8)
    for part in batch_slices(len(x), out_h * out_w * out_channels):
        padded = pad_image(x[part], window, constants.input_zero_point)
        windows = sliding_windows(padded, (kernel_h, kernel_w), window)
        sums = np.zeros((*windows.shape[:3], *taps.shape[2:]), np.int64)
        for row in range(kernel_h):
            for column in range(kernel_w):
                pixels = windows[:, :, :, row, column].astype(np.int32)
                sums += (pixels - constants.input_zero_point)[..., None] * taps[row, column]
        accumulators = sums.reshape(output[part].shape) + bias.astype(np.int64)
        output[part] = requantize_channels(accumulators, constants)
    return output
