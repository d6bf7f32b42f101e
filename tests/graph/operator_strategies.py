"""One drawing function for each operator, which appends it to a graph that is being built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from hypothesis import strategies as st

from edgeflow.graph.ir import (
    Activation,
    Concatenation,
    Conv2D,
    Elementwise,
    FullyConnected,
    Mean,
    NoAttributes,
    OpKind,
    Pad,
    Pool2D,
    Quantization,
    Softmax,
    Tensor,
    Window,
)
from tests.graph.builder import GraphBuilder, Shape

PROBABILITY = Quantization((1 / 256,), (-128,))

ACTIVATIONS = st.sampled_from(Activation)
SEEDS = st.integers(0, 2**32 - 1)


def log_uniform(low: float, high: float) -> st.SearchStrategy[float]:
    """Positive numbers spread evenly over the orders of magnitude, unlike `st.floats`."""
    return SEEDS.map(lambda s: low * (high / low) ** float(np.random.default_rng(s).random()))


ZERO_POINTS = st.one_of(
    SEEDS.map(lambda s: int(np.random.default_rng(s).integers(-128, 128))),
    st.sampled_from([-128, -128, 0, 127]),
)
SCALES = st.one_of(
    *[log_uniform(2**-7, 2**-3)] * 4,
    st.sampled_from([2**-7, 2**-4, 1.0]),
    # RELU6 clamps halfway between two integers: the last bit of 6 / scale decides.
    st.integers(20, 250).map(lambda n: 6.0 / (n + 0.5)),
    log_uniform(2**-30, 2**-10),
    log_uniform(1.0, 2**15),
)
ONE_IN_EIGHT = st.integers(0, 7).map(lambda number: number == 7)
_SMALL = st.one_of(st.integers(1, 6), st.integers(1, 127))
# Output scale over the natural one of the operator: around 1, or far off, so that results vanish or
# saturate and multipliers flush to zero or need left shifts.
SCALE_FACTORS = st.one_of(
    *[log_uniform(0.25, 4.0)] * 5,
    st.sampled_from([1.0, 0.5, 2.0]),
    # Accumulators fall halfway between two outputs: the last bit of the multiplier decides.
    *[st.builds(lambda a, k: 2 * a / (2 * k + 1), _SMALL, _SMALL)] * 2,
    log_uniform(2**-14, 2**-2),
    log_uniform(4.0, 2**36),
)


class Dialect(StrEnum):
    """Which graphs to draw: all legal ones, or those that a `.tflite` file can hold."""

    TFLITE = "tflite"
    EDGEFLOW = "edgeflow"


@dataclass
class Drawing:
    """What the drawing functions share: hypothesis, the graph so far, and its limits."""

    draw: st.DrawFn
    builder: GraphBuilder
    dialect: Dialect
    max_inputs: int

    def random(self) -> np.random.Generator:
        return np.random.default_rng(self.draw(SEEDS))


def float32(value: float) -> float:
    """The value as a scale: float32, and neither zero nor infinite."""
    return float(np.float32(min(max(value, 2.0**-120), 2.0**100)))


def per_tensor(scale: float, zero_point: int) -> Quantization:
    return Quantization((float32(scale),), (zero_point,))


def quantization(d: Drawing) -> Quantization:
    return per_tensor(d.draw(SCALES), d.draw(ZERO_POINTS))


def output_quantization(d: Drawing, natural_scale: float) -> Quantization:
    unrelated = d.draw(ONE_IN_EIGHT)
    scale = d.draw(SCALES) if unrelated else natural_scale * d.draw(SCALE_FACTORS)
    return per_tensor(scale, d.draw(ZERO_POINTS))


def scale_of(tensor: Tensor) -> float:
    assert tensor.quantization is not None
    return tensor.quantization.scales[0]


def parameters_of(tensor: Tensor) -> Quantization:
    assert tensor.quantization is not None
    return tensor.quantization


def int8_values(d: Drawing, shape: Shape, bits: int = 8) -> np.ndarray:
    """Random elements of that many bits: over the range, at its ends, sparse, or all one."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    rng = d.random()
    styles = ["range"] * 6 + ["ends", "sparse", "lowest", "highest"]
    match d.draw(st.sampled_from(styles)):
        case "ends":
            values = rng.choice([low, high], size=shape)
        case "sparse":
            values = rng.integers(low, high, size=shape, endpoint=True)
            values = values * (rng.random(shape) < 0.2)
        case "lowest":
            values = np.full(shape, low)
        case "highest":
            values = np.full(shape, high)
        case _:
            values = rng.integers(low, high, size=shape, endpoint=True)
    return values.astype(np.int8)


@dataclass(frozen=True)
class Weighted:
    """Weights, their bias, and the natural scale of the output."""

    weights: Tensor
    bias: Tensor
    natural_scale: float


def weights_and_bias(d: Drawing, x: Tensor, shape: Shape, channel_axis: int) -> Weighted:
    """Per-tensor or per-channel, dead channels among them; the bias in the accumulator's scale."""
    channels = shape[channel_axis]
    bits = d.draw(st.sampled_from([8, 8, 8, 4, 2]))
    data = int8_values(d, shape, bits)
    weight_scale = d.draw(log_uniform(2**-10, 2**-3))
    rng = d.random()
    if d.draw(st.booleans()):
        scales = [float32(weight_scale * 2.0**e) for e in rng.uniform(-3, 3, channels)]
        axis: int | None = channel_axis
    else:
        scales, axis = [float32(weight_scale)], None
    depth = max(1, data.size // channels)
    spread = 128 * 2 ** (bits - 1) * np.sqrt(depth)
    bias = rng.normal(0.0, spread, channels).astype(np.int64)
    match d.draw(st.sampled_from(["plain"] * 4 + ["zero", "dead channels", "large"])):
        case "zero":
            bias[:] = 0
        case "dead channels" if axis is not None:
            dead = rng.random(channels) < 0.5
            np.moveaxis(data, channel_axis, 0)[dead] = 0
            scales = [1e-9 if gone else s for s, gone in zip(scales, dead, strict=True)]
            scales = [float32(s) for s in scales]
            bias[dead] = rng.integers(-(2**30), 2**30, int(dead.sum()))
        case "large":
            bias = rng.integers(-(2**31), 2**31, channels)
    zeros = (0,) * len(scales)
    weights = d.builder.constant(data, Quantization(tuple(scales), zeros, axis), bits)
    bias_scales = tuple(float32(np.float32(scale_of(x)) * np.float32(s)) for s in scales)
    bias_quantization = Quantization(bias_scales, zeros, None if axis is None else 0)
    bias_tensor = d.builder.constant(bias.astype(np.int32), bias_quantization)
    return Weighted(weights, bias_tensor, scale_of(x) * max(scales) * float(spread) / 64)


def axis_window(d: Drawing, size: int, dilations: int, style: str) -> tuple[int, ...]:
    """(kernel, stride, dilation, pad before, pad after) that fit an axis of that size."""
    stride = d.draw(st.integers(1, 3))
    dilation = d.draw(st.integers(1, dilations))
    before, after = 0, 0
    if style == "explicit":
        before, after = d.draw(st.integers(0, 3)), d.draw(st.integers(0, 3))
    largest = 4 if style == "same" else min(4, (size + before + after - 1) // dilation + 1)
    kernel = d.draw(st.integers(1, largest))
    if style == "same":
        extent = (kernel - 1) * dilation + 1
        total = max((-(-size // stride) - 1) * stride + extent - size, 0)
        before, after = total // 2, total - total // 2
    return kernel, stride, dilation, before, after


def kernel_and_window(
    d: Drawing, x: Tensor, dilations: int, styles: list[str]
) -> tuple[tuple[int, int], Window]:
    style = d.draw(st.sampled_from(styles))
    rows = axis_window(d, x.shape[1], dilations, style)
    columns = axis_window(d, x.shape[2], dilations, style)
    window = Window(
        stride_h=rows[1],
        stride_w=columns[1],
        pad_top=rows[3],
        pad_bottom=rows[4],
        pad_left=columns[3],
        pad_right=columns[4],
        dilation_h=rows[2],
        dilation_w=columns[2],
    )
    return (rows[0], columns[0]), window


def conv_2d(d: Drawing, x: Tensor) -> Tensor:
    kernel, window = kernel_and_window(d, x, 3, ["same", "valid", "explicit"])
    whole = x.shape[3]
    groups = d.draw(st.sampled_from([1, *(parts for parts in range(1, 5) if whole % parts == 0)]))
    channels = groups * d.draw(st.integers(1, 8 // groups))
    drawn = weights_and_bias(d, x, (channels, *kernel, whole // groups), 0)
    return d.builder.node(
        OpKind.CONV_2D,
        [x, drawn.weights, drawn.bias],
        Conv2D(window, d.draw(ACTIVATIONS)),
        output_quantization(d, drawn.natural_scale),
    )


def depthwise_conv_2d(d: Drawing, x: Tensor) -> Tensor:
    kernel, window = kernel_and_window(d, x, 3, ["same", "valid", "explicit"])
    channels = x.shape[3] * d.draw(st.integers(1, 3))
    drawn = weights_and_bias(d, x, (1, *kernel, channels), 3)
    return d.builder.node(
        OpKind.DEPTHWISE_CONV_2D,
        [x, drawn.weights, drawn.bias],
        Conv2D(window, d.draw(ACTIVATIONS)),
        output_quantization(d, drawn.natural_scale),
    )


def fully_connected(d: Drawing, x: Tensor) -> Tensor:
    if len(x.shape) != 2:
        x = flattened(d, x)
    drawn = weights_and_bias(d, x, (d.draw(st.integers(1, 12)), x.shape[1]), 0)
    return d.builder.node(
        OpKind.FULLY_CONNECTED,
        [x, drawn.weights, drawn.bias],
        FullyConnected(d.draw(ACTIVATIONS)),
        output_quantization(d, drawn.natural_scale),
    )


def flattened(d: Drawing, x: Tensor) -> Tensor:
    shape = (1, int(np.prod(x.shape)))
    return d.builder.node(OpKind.RESHAPE, [x], NoAttributes(), parameters_of(x), shape)


def second_operand(d: Drawing, x: Tensor) -> Tensor:
    """Equal in shape, [1, 1, 1, C] or one element; an activation or a constant."""
    shapes = [x.shape, (1,) * len(x.shape)]
    if len(x.shape) == 4:
        shapes.append((1, 1, 1, x.shape[3]))
    shape = d.draw(st.sampled_from(shapes))
    sources = ["constant", "input"] if len(d.builder.inputs) < d.max_inputs else ["constant"]
    others = [
        t
        for t in d.builder.tensors.values()
        if not t.is_constant and t.shape == shape and t.shape[0] == 1
    ]
    match d.draw(st.sampled_from(sources + ["activation"] * bool(others))):
        case "input":
            return d.builder.input(shape, quantization(d))
        case "activation":
            return d.draw(st.sampled_from(others))
        case _:
            return d.builder.constant(int8_values(d, shape), quantization(d))


def elementwise(d: Drawing, x: Tensor, kind: OpKind, natural_scale: float, y: Tensor) -> Tensor:
    operands = [x, y] if d.draw(st.booleans()) else [y, x]
    attributes = Elementwise(d.draw(ACTIVATIONS))
    return d.builder.node(kind, operands, attributes, output_quantization(d, natural_scale))


def add(d: Drawing, x: Tensor) -> Tensor:
    y = second_operand(d, x)
    return elementwise(d, x, OpKind.ADD, max(scale_of(x), scale_of(y)), y)


def mul(d: Drawing, x: Tensor) -> Tensor:
    y = second_operand(d, x)
    return elementwise(d, x, OpKind.MUL, 64 * scale_of(x) * scale_of(y), y)


def pool_2d(d: Drawing, x: Tensor, kind: OpKind) -> Tensor:
    styles = ["same", "valid"] if d.dialect is Dialect.TFLITE else ["same", "valid", "explicit"]
    kernel, window = kernel_and_window(d, x, 1, styles)
    if "explicit" in styles:
        window = _inside_kernel(kernel, window)
    attributes = Pool2D(*kernel, window, d.draw(ACTIVATIONS))
    return d.builder.node(kind, [x], attributes, parameters_of(x))


def _inside_kernel(kernel: tuple[int, int], window: Window) -> Window:
    """Paddings below the kernel's size, so that no window lies in the padding alone."""
    return Window(
        window.stride_h,
        window.stride_w,
        min(window.pad_top, kernel[0] - 1),
        min(window.pad_bottom, kernel[0] - 1),
        min(window.pad_left, kernel[1] - 1),
        min(window.pad_right, kernel[1] - 1),
    )


def average_pool_2d(d: Drawing, x: Tensor) -> Tensor:
    return pool_2d(d, x, OpKind.AVERAGE_POOL_2D)


def max_pool_2d(d: Drawing, x: Tensor) -> Tensor:
    return pool_2d(d, x, OpKind.MAX_POOL_2D)


def mean(d: Drawing, x: Tensor) -> Tensor:
    choices = st.sets(st.integers(1, len(x.shape) - 1), min_size=1)
    axes = tuple(sorted(d.draw(choices)))
    attributes = Mean(axes, keep_dims=d.draw(st.booleans()))
    return d.builder.node(OpKind.MEAN, [x], attributes, output_quantization(d, scale_of(x)))


def pad(d: Drawing, x: Tensor) -> Tensor:
    amount = st.integers(0, 3)
    pads = [(0, 0)] + [(d.draw(amount), d.draw(amount)) for _ in x.shape[1:]]
    return d.builder.node(OpKind.PAD, [x], Pad(tuple(pads)), parameters_of(x))


def reshape(d: Drawing, x: Tensor) -> Tensor:
    remaining = int(np.prod(x.shape))
    shape = [1]
    for _ in range(d.draw(st.integers(0, 2))):
        divisors = [n for n in range(1, remaining + 1) if remaining % n == 0]
        shape.append(d.draw(st.sampled_from(divisors)))
        remaining //= shape[-1]
    shape.append(remaining)
    return d.builder.node(OpKind.RESHAPE, [x], NoAttributes(), parameters_of(x), tuple(shape))


def concatenation(d: Drawing, x: Tensor) -> Tensor:
    axis = d.draw(st.integers(1, len(x.shape) - 1))
    parts = [x]
    for _ in range(d.draw(st.integers(1, 2))):
        shape = (*x.shape[:axis], d.draw(st.integers(1, 3)), *x.shape[axis + 1 :])
        sources = ["constant", "same"]
        if len(d.builder.inputs) < d.max_inputs:
            sources.append("input")
        match d.draw(st.sampled_from(sources)):
            case "input":
                part = d.builder.input(shape, parameters_of(x))
            case "same":
                part = x
            case _:
                part = d.builder.constant(int8_values(d, shape), parameters_of(x))
        parts.insert(d.draw(st.integers(0, len(parts))), part)
    return d.builder.node(OpKind.CONCATENATION, parts, Concatenation(axis), parameters_of(x))


def softmax(d: Drawing, x: Tensor) -> Tensor:
    beta = d.draw(st.one_of(st.just(1.0), log_uniform(2**-4, 16.0)))
    return d.builder.node(OpKind.SOFTMAX, [x], Softmax(float32(beta)), PROBABILITY)


def logistic(d: Drawing, x: Tensor) -> Tensor:
    return d.builder.node(OpKind.LOGISTIC, [x], NoAttributes(), PROBABILITY)


def rescale(d: Drawing, x: Tensor, kind: OpKind) -> Tensor:
    parameters = output_quantization(d, scale_of(x))
    if d.draw(st.integers(0, 3)) == 0:
        parameters = parameters_of(x)
    return d.builder.node(kind, [x], NoAttributes(), parameters)


def relu(d: Drawing, x: Tensor) -> Tensor:
    return rescale(d, x, OpKind.RELU)


def relu6(d: Drawing, x: Tensor) -> Tensor:
    return rescale(d, x, OpKind.RELU6)


def quantize(d: Drawing, x: Tensor) -> Tensor:
    return rescale(d, x, OpKind.QUANTIZE)


OPERATORS: Mapping[OpKind, Callable[[Drawing, Tensor], Tensor]] = {
    OpKind.CONV_2D: conv_2d,
    OpKind.DEPTHWISE_CONV_2D: depthwise_conv_2d,
    OpKind.FULLY_CONNECTED: fully_connected,
    OpKind.ADD: add,
    OpKind.MUL: mul,
    OpKind.AVERAGE_POOL_2D: average_pool_2d,
    OpKind.MAX_POOL_2D: max_pool_2d,
    OpKind.MEAN: mean,
    OpKind.PAD: pad,
    OpKind.RESHAPE: reshape,
    OpKind.CONCATENATION: concatenation,
    OpKind.SOFTMAX: softmax,
    OpKind.RELU: relu,
    OpKind.RELU6: relu6,
    OpKind.LOGISTIC: logistic,
    OpKind.QUANTIZE: quantize,
}

IMAGE_OPERATORS = (
    OpKind.CONV_2D,
    OpKind.DEPTHWISE_CONV_2D,
    OpKind.AVERAGE_POOL_2D,
    OpKind.MAX_POOL_2D,
)
"""Operators that take four dimensions only."""
