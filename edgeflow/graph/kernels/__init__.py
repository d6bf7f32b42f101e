"""Reference kernels in numpy, vectorized over the batch; one module for each operator family.

A kernel takes the graph, the node and the values of the node's inputs in order: activations int8
[N, ...], constants as stored. It returns the int8 output [N, ...].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from edgeflow.graph.ir import Graph, Node, OpKind
from edgeflow.graph.kernels import (
    convolution,
    dense,
    elementwise,
    layout,
    lookup,
    pooling,
    reduction,
    rescale,
    softmax,
)
from edgeflow.graph.kernels.arrays import Int8Array, Value

Kernel = Callable[[Graph, Node, Sequence[Value]], Int8Array]

KERNELS: Mapping[OpKind, Kernel] = {
    OpKind.CONV_2D: convolution.conv_2d,
    OpKind.DEPTHWISE_CONV_2D: convolution.depthwise_conv_2d,
    OpKind.FULLY_CONNECTED: dense.fully_connected,
    OpKind.ADD: elementwise.add,
    OpKind.MUL: elementwise.mul,
    OpKind.AVERAGE_POOL_2D: pooling.average_pool_2d,
    OpKind.MAX_POOL_2D: pooling.max_pool_2d,
    OpKind.MEAN: reduction.mean,
    OpKind.PAD: layout.pad,
    OpKind.RESHAPE: layout.reshape,
    OpKind.CONCATENATION: layout.concatenation,
    OpKind.SOFTMAX: softmax.softmax,
    OpKind.RELU: rescale.relu,
    OpKind.RELU6: rescale.relu,
    OpKind.LOGISTIC: lookup.logistic,
    OpKind.QUANTIZE: rescale.quantize,
}
