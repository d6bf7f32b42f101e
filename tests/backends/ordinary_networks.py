"""Random networks as training leaves them: scales that fill the range, shapes of every sort.

The strategies of `tests/graph` draw extremes; fast kernels are for what lies between, so that they
need networks of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeflow.graph.checker import check
from edgeflow.graph.ir import (
    Activation,
    Attributes,
    Conv2D,
    Elementwise,
    FullyConnected,
    Graph,
    NoAttributes,
    OpKind,
    Pool2D,
    Quantization,
    Tensor,
    Window,
)
from tests.graph.builder import GraphBuilder, Shape

# Of weights, by their bits.
_DEVIATIONS = {8: 45.0, 4: 3.5, 2: 1.0}

_ACTIVATIONS = (Activation.NONE, Activation.NONE, Activation.RELU, Activation.RELU6)


@dataclass
class _Drawing:
    rng: np.random.Generator
    builder: GraphBuilder
    weight_bits: tuple[int, ...]

    def quantization(self) -> Quantization:
        zero_point = int(self.rng.choice([-128, -128, 127, 0, self.rng.integers(-128, 128)]))
        return Quantization((float(np.float32(2.0 ** self.rng.uniform(-6, -3))),), (zero_point,))

    def integer(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))


def _axis(d: _Drawing, size: int, dilations: int) -> tuple[int, int, int, int, int]:
    """(kernel, stride, dilation, pad before, pad after); long kernels now and then."""
    before, after = d.integer(0, 2), d.integer(0, 2)
    dilation = d.integer(1, dilations)
    largest = (size + before + after - 1) // dilation + 1
    wanted = 3 if d.rng.random() < 0.5 else d.integer(1, 7)
    return min(wanted, largest), d.integer(1, 3), dilation, before, after


def _window(d: _Drawing, x: Tensor, dilations: int = 1) -> tuple[int, int, Window]:
    rows, columns = (_axis(d, size, dilations) for size in x.shape[1:3])
    window = Window(
        stride_h=rows[1],
        stride_w=columns[1] if d.rng.random() < 0.3 else rows[1],
        pad_top=rows[3],
        pad_bottom=rows[4],
        pad_left=columns[3],
        pad_right=columns[4],
        dilation_h=rows[2],
        dilation_w=columns[2],
    )
    return rows[0], columns[0], window


def _weighted(
    d: _Drawing, kind: OpKind, x: Tensor, shape: Shape, axis: int, attributes: Attributes
) -> Tensor:
    """A layer whose outputs spread over int8, some channels of it dead or large."""
    channels = shape[axis]
    depth = int(np.prod(shape)) // channels
    bits = d.weight_bits[d.integer(0, len(d.weight_bits) - 1)] if d.weight_bits[1:] else 8
    deviation = _DEVIATIONS[bits]
    lowest = -127 if bits == 8 else -(2 ** (bits - 1))
    weights = np.rint(d.rng.normal(0, deviation, shape))
    weights = np.clip(weights, lowest, 2 ** (bits - 1) - 1).astype(np.int8)
    spread = deviation * 70.0 * np.sqrt(depth)
    bias = np.rint(d.rng.normal(0, spread, channels)).astype(np.int32)
    scales = 2.0 ** d.rng.uniform(-9, -7, channels) * (_DEVIATIONS[8] / deviation)
    dead = d.rng.random(channels) < 0.1
    np.moveaxis(weights, axis, 0)[dead] = d.integer(-2, 2 if bits > 2 else 1)
    scales[dead] = 1e-9
    bias[dead] = d.rng.integers(-(2**30), 2**30, int(dead.sum()))
    scales = scales.astype(np.float32)
    assert x.quantization is not None
    unit = np.float32(x.quantization.scales[0])
    output_scale = float(
        np.float32(unit * np.median(scales[~dead] if not dead.all() else [2**-8]) * spread / 50)
    )
    zeros = (0,) * channels
    given = [float(s) for s in scales]
    w = d.builder.constant(weights, Quantization(tuple(given), zeros, axis), bits)
    products = tuple(float(unit * s) for s in scales)
    b = d.builder.constant(bias, Quantization(products, zeros, 0))
    zero_point = d.quantization().zero_points[0]
    output = Quantization((output_scale,), (zero_point,))
    return d.builder.node(kind, [x, w, b], attributes, output)


def _convolution(d: _Drawing, x: Tensor) -> Tensor:
    activation = d.rng.choice(np.array(_ACTIVATIONS))
    inputs, outputs = x.shape[3], int(d.rng.choice([1, 2, 3, 5, 8, 16, 17]))
    if d.rng.random() < 0.4:
        stride = d.integer(1, 2)
        window = Window(stride_h=stride, stride_w=stride)
        kernel_h = kernel_w = 1
    else:
        kernel_h, kernel_w, window = _window(d, x, dilations=1 if d.rng.random() < 0.8 else 2)
    attributes = Conv2D(window, Activation(activation))
    return _weighted(d, OpKind.CONV_2D, x, (outputs, kernel_h, kernel_w, inputs), 0, attributes)


def _depthwise(d: _Drawing, x: Tensor) -> Tensor:
    activation = d.rng.choice(np.array(_ACTIVATIONS))
    kernel_h, kernel_w, window = _window(d, x, dilations=1 if d.rng.random() < 0.8 else 3)
    channels = x.shape[3] * (1 if d.rng.random() < 0.8 else d.integer(2, 3))
    attributes = Conv2D(window, Activation(activation))
    shape = (1, kernel_h, kernel_w, channels)
    return _weighted(d, OpKind.DEPTHWISE_CONV_2D, x, shape, 3, attributes)


def _add(d: _Drawing, x: Tensor) -> Tensor:
    """x + quantized x; now and then of equal scales."""
    parameters = x.quantization if d.rng.random() < 0.3 else d.quantization()
    assert parameters is not None
    other = d.builder.node(OpKind.QUANTIZE, [x], NoAttributes(), parameters)
    pair = [x, other] if d.rng.random() < 0.5 else [other, x]
    assert x.quantization is not None
    scale = max(x.quantization.scales[0], parameters.scales[0]) * 1.5
    output = Quantization((float(np.float32(scale)),), d.quantization().zero_points)
    activation = Activation(d.rng.choice(np.array(_ACTIVATIONS)))
    return d.builder.node(OpKind.ADD, pair, Elementwise(activation), output)


def _pool(d: _Drawing, x: Tensor) -> Tensor:
    """Every window holds at least one element of the input."""
    kernels = [min(d.integer(1, 4), size) for size in x.shape[1:3]]
    pads = [min(d.integer(0, 1), kernel - 1) for kernel in kernels]
    window = Window(
        stride_h=d.integer(1, 2),
        stride_w=d.integer(1, 2),
        pad_top=pads[0],
        pad_bottom=pads[0],
        pad_left=pads[1],
        pad_right=pads[1],
    )
    activation = Activation(d.rng.choice(np.array(_ACTIVATIONS)))
    kind = OpKind.AVERAGE_POOL_2D if d.rng.random() < 0.5 else OpKind.MAX_POOL_2D
    assert x.quantization is not None
    attributes = Pool2D(kernels[0], kernels[1], window, activation)
    return d.builder.node(kind, [x], attributes, x.quantization)


_LAYERS = (_convolution, _convolution, _depthwise, _depthwise, _add, _pool)


def ordinary_network(seed: int, layers: int = 5, weight_bits: tuple[int, ...] = (8,)) -> Graph:
    """A chain of layers and, at the end, a dense one; the same seed gives the same network.

    Each layer has weights of one of the widths.
    """
    d = _Drawing(np.random.default_rng(seed), GraphBuilder(), weight_bits)
    shape = (1, d.integer(1, 12), d.integer(1, 12), int(d.rng.choice([1, 2, 3, 4, 7, 8, 16])))
    x = d.builder.input(shape, d.quantization())
    for _ in range(layers):
        layer = _LAYERS[d.integer(0, len(_LAYERS) - 1)]
        x = layer(d, x)
    elements = int(np.prod(x.shape))
    assert x.quantization is not None
    flat = d.builder.node(OpKind.RESHAPE, [x], NoAttributes(), x.quantization, shape=(1, elements))
    weights = (d.integer(1, 9), elements)
    y = _weighted(d, OpKind.FULLY_CONNECTED, flat, weights, 0, FullyConnected())
    graph = d.builder.build([y.name], name=f"ordinary {seed}")
    check(graph)
    return graph
