"""Convolutions of one layer, of any shape, with outputs as training leaves them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.checker import check
from edgeflow.graph.ir import Conv2D, DType, Graph, Node, OpKind, Quantization, Tensor, Window

Image = tuple[int, int, int]


def convolution(
    kind: OpKind, image: Image, kernel: tuple[int, int], stride: int, outputs: int
) -> Graph:
    """A layer of "same" padding on an image of (height, width, channels)."""
    depthwise = kind is OpKind.DEPTHWISE_CONV_2D
    shape = (1, *kernel, outputs) if depthwise else (outputs, *kernel, image[2])
    rng = np.random.default_rng(0)
    weights = rng.integers(-127, 128, size=shape, dtype=np.int8)
    bias = rng.integers(-1000, 1000, size=outputs, dtype=np.int32)
    top, left = ((size - 1) // 2 for size in kernel)
    bottom, right = (size - 1 - before for size, before in zip(kernel, (top, left), strict=True))
    window = Window(stride, stride, top, bottom, left, right)
    height, width = (-(-size // stride) for size in image[:2])
    # A sum of n products has a deviation of some 73 * 74 * sqrt(n).
    scale = 2.0**-12 * 80 * np.sqrt(weights.size / outputs)
    unit = Quantization((2.0**-7,), (0,))
    tensors = {
        "x": Tensor("x", (1, *image), DType.INT8, Quantization((2.0**-5,), (-7,))),
        "w": Tensor("w", shape, DType.INT8, unit, weights),
        "b": Tensor("b", (outputs,), DType.INT32, Quantization((2.0**-12,), (0,)), bias),
        "y": Tensor(
            "y",
            (1, height, width, outputs),
            DType.INT8,
            Quantization((float(np.float32(scale)),), (3,)),
        ),
    }
    node = Node("conv", kind, ("x", "w", "b"), ("y",), Conv2D(window))
    graph = Graph("conv", tensors, (node,), ("x",), ("y",))
    check(graph)
    return graph


def with_large_scales(graph: Graph, seed: int) -> Graph:
    """Weights of two bits whose scales are up to 16 times the output's over the input's."""
    rng = np.random.default_rng(seed)
    (node,) = graph.nodes
    x, weights, bias, output = (graph.tensors[n] for n in (*node.inputs, *node.outputs))
    channels, axis = output.shape[-1], 0 if node.kind is OpKind.CONV_2D else 3
    one = output.quantization.scales[0] / x.quantization.scales[0]
    scales = np.float32(one * 2.0 ** rng.uniform(-6, 4, channels))
    narrow = Quantization(tuple(map(float, scales)), (0,) * channels, axis)
    products = np.float32(scales * np.float32(x.quantization.scales[0]))
    of_bias = Quantization(tuple(map(float, products)), (0,) * channels, 0)
    changed = {
        weights.name: replace(
            weights,
            data=rng.integers(-1, 2, weights.shape, dtype=np.int8),
            bits=2,
            quantization=narrow,
        ),
        bias.name: replace(
            bias, data=rng.integers(-40, 40, bias.shape, dtype=np.int32), quantization=of_bias
        ),
    }
    return canonicalize(replace(graph, tensors={**graph.tensors, **changed}))
