"""AVERAGE_POOL_2D and MAX_POOL_2D; padding takes no part in either."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeflow.graph.ir import Graph, Node, Pool2D
from edgeflow.graph.kernels.arrays import (
    Int8Array,
    Value,
    batch_slices,
    int8_value,
    pad_image,
    sliding_windows,
    to_int8,
)
from edgeflow.graph.requantize import pool_range


def average_pool_2d(graph: Graph, node: Node, inputs: Sequence[Value]) -> Int8Array:
    """The mean of the elements inside the image, rounded half away from zero."""
    assert isinstance(node.attributes, Pool2D)
    window = node.attributes.window
    kernel = (node.attributes.kernel_h, node.attributes.kernel_w)
    x = int8_value(inputs[0])
    inside = pad_image(np.ones((1, *x.shape[1:3], 1), np.int8), window, 0)
    count = sliding_windows(inside, kernel, window).sum(axis=(3, 4), dtype=np.int64)
    output = np.empty((len(x), *graph.tensors[node.outputs[0]].shape[1:]), np.int8)
    for part in batch_slices(len(x), output[:1].size * kernel[0] * kernel[1]):
        padded = pad_image(x[part], window, 0)
        total = sliding_windows(padded, kernel, window).sum(axis=(3, 4), dtype=np.int64)
        magnitude = (np.abs(total) + count // 2) // count
        output[part] = to_int8(np.sign(total) * magnitude, pool_range(graph, node))
    return output


def max_pool_2d(graph: Graph, node: Node, inputs: Sequence[Value]) -> Int8Array:
    """The largest element inside the image."""
    assert isinstance(node.attributes, Pool2D)
    window = node.attributes.window
    kernel = (node.attributes.kernel_h, node.attributes.kernel_w)
    padded = pad_image(int8_value(inputs[0]), window, -128)
    largest = sliding_windows(padded, kernel, window).max(axis=(3, 4))
    return to_int8(largest.astype(np.int64), pool_range(graph, node))
