"""A graph with every operator of the set, and how LiteRT runs a file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgeflow.graph.ir import (
    Activation,
    Attributes,
    Concatenation,
    Conv2D,
    DType,
    Elementwise,
    FullyConnected,
    Graph,
    Mean,
    NoAttributes,
    Node,
    OpKind,
    Pad,
    Pool2D,
    Quantization,
    Softmax,
    Tensor,
    Window,
)


def float32(value: float) -> float:
    return float(np.float32(value))


class GraphBuilder:
    """Collects tensors and nodes; scales are made up, values come from a seeded generator."""

    def __init__(self, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.tensors: dict[str, Tensor] = {}
        self.nodes: list[Node] = []

    def activation(
        self, name: str, shape: tuple[int, ...], scale: float = 0.05, zero_point: int = 3
    ) -> str:
        quantization = Quantization((float32(scale),), (zero_point,))
        self.tensors[name] = Tensor(name, shape, DType.INT8, quantization)
        return name

    def weights(self, name: str, shape: tuple[int, ...], axis: int | None) -> str:
        count = 1 if axis is None else shape[axis]
        scales = tuple(float32(s) for s in self.random.uniform(0.002, 0.02, count))
        data = self.random.integers(-127, 128, shape).astype(np.int8)
        quantization = Quantization(scales, (0,) * count, axis)
        self.tensors[name] = Tensor(name, shape, DType.INT8, quantization, data)
        return name

    def bias(self, name: str, count: int, x: str, weights: str) -> str:
        x_scale = np.float32(self.tensors[x].quantization.scales[0])
        quantization = self.tensors[weights].quantization
        scales = tuple(float(x_scale * np.float32(s)) for s in quantization.scales)
        axis = None if quantization.axis is None else 0
        data = self.random.integers(-2000, 2000, count).astype(np.int32)
        self.tensors[name] = Tensor(
            name, (count,), DType.INT32, Quantization(scales, (0,) * len(scales), axis), data
        )
        return name

    def node(
        self, kind: OpKind, inputs: tuple[str, ...], output: str, attributes: Attributes
    ) -> str:
        self.nodes.append(Node(output, kind, inputs, (output,), attributes))
        return output

    def conv(
        self, x: str, output: str, channels: int, kernel: tuple[int, int], attributes: Conv2D
    ) -> str:
        """CONV_2D with per-channel weights; the output takes its shape from the window."""
        depth = self.tensors[x].shape[3]
        weights = self.weights(f"{output}/weights", (channels, *kernel, depth), 0)
        return self._convolution(OpKind.CONV_2D, x, output, weights, channels, attributes)

    def depthwise(
        self, x: str, output: str, multiplier: int, kernel: tuple[int, int], attributes: Conv2D
    ) -> str:
        channels = self.tensors[x].shape[3] * multiplier
        weights = self.weights(f"{output}/weights", (1, *kernel, channels), 3)
        return self._convolution(OpKind.DEPTHWISE_CONV_2D, x, output, weights, channels, attributes)

    def _convolution(
        self, kind: OpKind, x: str, output: str, weights: str, channels: int, attributes: Conv2D
    ) -> str:
        _, height, width, _ = self.tensors[x].shape
        _, kernel_h, kernel_w, _ = self.tensors[weights].shape
        bias = self.bias(f"{output}/bias", channels, x, weights)
        shape = (1, *window_output(attributes.window, (height, width), (kernel_h, kernel_w)))
        self.activation(output, (*shape, channels), 0.2, -20)
        return self.node(kind, (x, weights, bias), output, attributes)

    def graph(self, inputs: tuple[str, ...], outputs: tuple[str, ...], name: str = "g") -> Graph:
        return Graph(name, dict(self.tensors), tuple(self.nodes), inputs, outputs)


def window_output(
    window: Window, size: tuple[int, int], kernel: tuple[int, int]
) -> tuple[int, int]:
    padded_h = size[0] + window.pad_top + window.pad_bottom
    padded_w = size[1] + window.pad_left + window.pad_right
    extent_h = (kernel[0] - 1) * window.dilation_h + 1
    extent_w = (kernel[1] - 1) * window.dilation_w + 1
    return (
        (padded_h - extent_h) // window.stride_h + 1,
        (padded_w - extent_w) // window.stride_w + 1,
    )


def every_operator(seed: int = 0) -> Graph:
    """One graph with all operators, per-channel weights, SAME, VALID and explicit paddings."""
    b = GraphBuilder(seed)
    same = Window(pad_top=1, pad_bottom=1, pad_left=1, pad_right=1)
    x = b.activation("input", (1, 9, 8, 3), 0.05, -7)
    y = b.conv(x, "conv_same", 4, (3, 3), Conv2D(same, Activation.RELU))
    strided = Window(2, 2, pad_top=1, pad_bottom=1, pad_left=1, pad_right=0)
    y = b.conv(y, "conv_explicit", 8, (3, 3), Conv2D(strided, Activation.RELU6))
    a = b.depthwise(y, "depthwise", 2, (3, 3), Conv2D(same))
    c = b.conv(y, "conv_valid", 16, (1, 1), Conv2D(Window()))
    height, width = b.tensors[a].shape[1:3]
    full = (1, height, width, 16)
    s = b.activation("sum", full, 0.25, -9)
    b.node(OpKind.ADD, (a, c), s, Elementwise(Activation.RELU))
    m = b.activation("product", full, 0.3, 4)
    b.node(OpKind.MUL, (a, c), m, Elementwise())
    sigmoid = b.activation("sigmoid", full, 1 / 256, -128)
    b.node(OpKind.LOGISTIC, (s,), sigmoid, NoAttributes())
    q = b.activation("requantized", full, 0.25, -9)
    b.node(OpKind.QUANTIZE, (m,), q, NoAttributes())
    cat = b.activation("concatenated", (1, height, width, 32), 0.25, -9)
    b.node(OpKind.CONCATENATION, (s, q), cat, Concatenation(3))
    r = b.activation("relu", (1, height, width, 32), 0.125, -128)
    b.node(OpKind.RELU, (cat,), r, NoAttributes())
    r6 = b.activation("relu6", (1, height, width, 32), 6 / 255, -128)
    b.node(OpKind.RELU6, (r,), r6, NoAttributes())
    p = b.activation("padded", (1, height + 1, width + 2, 32), 6 / 255, -128)
    b.node(OpKind.PAD, (r6,), p, Pad(((0, 0), (0, 1), (1, 1), (0, 0))))
    pool_window = Window(2, 2)
    h2, w2 = window_output(pool_window, (height + 1, width + 2), (2, 2))
    mp = b.activation("max_pool", (1, h2, w2, 32), 6 / 255, -128)
    b.node(OpKind.MAX_POOL_2D, (p,), mp, Pool2D(2, 2, pool_window))
    ap = b.activation("average_pool", (1, h2, w2, 32), 6 / 255, -128)
    b.node(OpKind.AVERAGE_POOL_2D, (mp,), ap, Pool2D(3, 3, same))
    mean = b.activation("mean", (1, 32), 0.02, -100)
    b.node(OpKind.MEAN, (ap,), mean, Mean((1, 2)))
    flat = b.activation("flat", (1, 8, 4), 0.02, -100)
    b.node(OpKind.RESHAPE, (mean,), flat, NoAttributes())
    flat2 = b.activation("flat2", (1, 32), 0.02, -100)
    b.node(OpKind.RESHAPE, (flat,), flat2, NoAttributes())
    w = b.weights("dense/weights", (10, 32), None)
    bias = b.bias("dense/bias", 10, flat2, w)
    d = b.activation("dense", (1, 10), 0.02, 10)
    b.node(OpKind.FULLY_CONNECTED, (flat2, w, bias), d, FullyConnected())
    out = b.activation("softmax", (1, 10), 1 / 256, -128)
    b.node(OpKind.SOFTMAX, (d,), out, Softmax(1.0))
    return b.graph((x,), (out, sigmoid), "every_operator")


def small_network() -> Graph:
    """conv - dense, one input and one output."""
    b = GraphBuilder(1)
    x = b.activation("x", (1, 4, 4, 2))
    y = b.conv(x, "y", 3, (3, 3), Conv2D(Window(), Activation.RELU))
    flat = b.activation("flat", (1, 12), 0.2, -20)
    b.node(OpKind.RESHAPE, (y,), flat, NoAttributes())
    weights = b.weights("z/weights", (5, 12), None)
    bias = b.bias("z/bias", 5, flat, weights)
    z = b.activation("z", (1, 5), 0.4, 1)
    b.node(OpKind.FULLY_CONNECTED, (flat, weights, bias), z, FullyConnected())
    return b.graph((x,), (z,), "small")


def with_tensor(graph: Graph, name: str, **changes: object) -> Graph:
    """The graph with some fields of one tensor changed."""
    tensors = dict(graph.tensors)
    tensors[name] = replace(tensors[name], **changes)
    return replace(graph, tensors=tensors)


def run_litert(
    data: bytes, inputs: list[NDArray[np.int8]], reference: bool
) -> list[NDArray[np.int8]]:
    """Outputs of the file in LiteRT, with the reference kernels or the default ones."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kind = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
    interpreter = Interpreter(model_content=data, experimental_op_resolver_type=kind, num_threads=1)
    interpreter.allocate_tensors()
    for detail, value in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]).copy() for d in interpreter.get_output_details()]
