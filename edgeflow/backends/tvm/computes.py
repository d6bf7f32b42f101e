"""Operators as tensor expressions in float32: feature maps are [H, W, C], the rest is flat.

Each takes the node, its operands and a `Naming`, and gives the stages that compute it. The last
one is the node's result; a stage before it belongs to it alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.tvm.vectors import Vectors
from edgeflow.errors import UnsupportedOperatorError
from edgeflow.graph.groups import groups
from edgeflow.graph.ir import (
    Activation,
    Concatenation,
    Conv2D,
    Elementwise,
    FullyConnected,
    Graph,
    Mean,
    Node,
    OpKind,
    Pad,
    Pool2D,
    Softmax,
    Window,
)
from edgeflow.graph.reals import reals

FLOAT = "float32"
_LARGEST = {Activation.RELU6: 6.0}


@dataclass
class Network:
    """What is written so far: the graph's tensors as expressions, constants, and how to schedule.

    `constants` are [name, placeholder, values] in the order in which the function takes them.
    `tiled` are convolutions by the names of their (padded input, sums, result) stages, `rowwise`
    are depthwise ones, `plain` single stages.
    """

    graph: Graph
    vectors: Vectors
    values: dict[str, Any] = field(default_factory=dict)
    constants: list[tuple[Any, NDArray[np.float32]]] = field(default_factory=list)
    tiled: list[Tiled] = field(default_factory=list)
    rowwise: list[Rowwise] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)

    def constant(self, values: NDArray[Any], name: str) -> Any:
        """A placeholder for an array."""
        from tvm import te

        array = np.ascontiguousarray(values, dtype=np.float32)
        placeholder = te.placeholder(array.shape, FLOAT, name=name)
        self.constants.append((placeholder, array))
        return placeholder

    def operand(self, name: str, stage: str) -> Any:
        """A tensor as an expression."""
        if name not in self.values:
            tensor = self.graph.tensors[name]
            shape = inner_shape(tensor.shape)
            self.values[name] = self.constant(reals(tensor).reshape(shape), f"{stage}_constant")
        return self.values[name]


@dataclass(frozen=True)
class Tiled:
    """A convolution or dense layer: names of its stages (no padding: ""), and its tile.

    `reductions` are the axes of its sums that are longer than one.
    """

    padded: str
    sums: str
    result: str
    positions: int
    channels: int
    lanes: int
    reductions: int


@dataclass(frozen=True)
class Rowwise:
    """A depthwise convolution: names of its stages, and its tile."""

    padded: str
    sums: str
    result: str
    positions: int
    lanes: int
    reductions: int


def inner_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Without the batch of one."""
    return shape[1:] if len(shape) > 1 and shape[0] == 1 else shape


def tile(size: int, most: int) -> int:
    """The largest divisor of `size` that is at most `most`."""
    return max(d for d in range(1, most + 1) if size % d == 0)


def add(network: Network, node: Node, stage: str) -> None:
    """Write the stages of a node. Raises UnsupportedOperatorError for what has none."""
    if node.kind not in COMPUTES:
        raise UnsupportedOperatorError(
            f"node {node.name!r}: the TVM backend has no {node.kind}",
            hint="choose another engine",
        )
    network.values[node.outputs[0]] = COMPUTES[node.kind](network, node, stage)


def _clamped(value: Any, activation: Activation) -> Any:
    from tvm import te

    if activation is Activation.NONE:
        return value
    value = te.max(value, te.const(0.0, FLOAT))
    largest = _LARGEST.get(activation)
    return value if largest is None else te.min(value, te.const(largest, FLOAT))


def _padded(x: Any, window: Window, stage: str) -> tuple[Any, str]:
    """The feature map with a border of zeros; itself where there is none."""
    from tvm import te

    top, left = window.pad_top, window.pad_left
    height, width, channels = (int(n) for n in x.shape)
    if not (top or left or window.pad_bottom or window.pad_right):
        return x, ""
    shape = (height + top + window.pad_bottom, width + left + window.pad_right, channels)
    name = f"{stage}_padded"

    def value(y: Any, column: Any, c: Any) -> Any:
        inside = te.all(y >= top, y < height + top, column >= left, column < width + left)
        return te.if_then_else(inside, x[y - top, column - left, c], te.const(0.0, FLOAT))

    return te.compute(shape, value, name=name), name


def _conv(network: Network, node: Node, stage: str) -> Any:
    from tvm import te

    graph, attributes = network.graph, node.attributes
    assert isinstance(attributes, Conv2D)
    if groups(graph, node) > 1:
        raise UnsupportedOperatorError(
            f"node {node.name!r}: the TVM backend has no grouped convolution",
            hint="choose another engine",
        )
    weights, bias = (reals(graph.tensors[name]) for name in node.inputs[1:3])
    out_channels, kernel_h, kernel_w, in_channels = weights.shape
    _, height, width, _ = graph.tensors[node.outputs[0]].shape
    block, lanes = _channel_block(out_channels, network.vectors.lanes, network.vectors.channels)
    packed = _blocked(weights.transpose(1, 2, 3, 0), block)
    w = network.constant(packed, f"{stage}_weights")
    b = network.constant(bias, f"{stage}_bias")
    window = attributes.window
    x, padded = _padded(network.operand(node.inputs[0], stage), window, stage)
    ky, kx, ic = (
        te.reduce_axis((0, size), name=f"{stage}_{axis}")
        for size, axis in ((kernel_h, "ky"), (kernel_w, "kx"), (in_channels, "ic"))
    )

    def product(y: Any, column: Any, o: Any, i: Any) -> Any:
        row = y * window.stride_h + ky * window.dilation_h
        at = column * window.stride_w + kx * window.dilation_w
        return te.sum(x[row, at, ic] * w[o, ky, kx, ic, i], axis=[ky, kx, ic])

    sums = te.compute((height, width, packed.shape[0], block), product, name=f"{stage}_sums")
    result = te.compute(
        (height, width, out_channels),
        lambda y, column, o: _clamped(
            sums[y, column, o // block, o % block] + b[o], attributes.activation
        ),
        name=f"{stage}_result",
    )
    positions = tile(width, network.vectors.positions)
    longer = sum(size > 1 for size in (kernel_h, kernel_w, in_channels))
    network.tiled.append(
        Tiled(padded, f"{stage}_sums", f"{stage}_result", positions, block, lanes, longer)
    )
    return result


def _channel_block(channels: int, lanes: int, block: int) -> tuple[int, int]:
    """Channels of a tile, and lanes of its vectors: fewer where there are fewer channels."""
    while lanes > channels and lanes > 4:
        lanes //= 2
    while block > lanes and (block >= 2 * channels or channels % block):
        block -= lanes
    return block, lanes


def _blocked(weights: NDArray[np.float64], block: int) -> NDArray[np.float64]:
    """[..., O] as [O / block, ..., block], the last block filled up with zeros."""
    *front, channels = weights.shape
    blocks = math.ceil(channels / block)
    filled = np.zeros((*front, blocks * block))
    filled[..., :channels] = weights
    return np.moveaxis(filled.reshape(*front, blocks, block), -2, 0)


def _depthwise(network: Network, node: Node, stage: str) -> Any:
    from tvm import te

    graph, attributes = network.graph, node.attributes
    assert isinstance(attributes, Conv2D)
    weights, bias = (reals(graph.tensors[name]) for name in node.inputs[1:3])
    _, kernel_h, kernel_w, channels = weights.shape
    w = network.constant(weights[0], f"{stage}_weights")
    b = network.constant(bias, f"{stage}_bias")
    _, height, width, _ = graph.tensors[node.outputs[0]].shape
    window = attributes.window
    x, padded = _padded(network.operand(node.inputs[0], stage), window, stage)
    multiplier = channels // int(x.shape[2])
    ky, kx = (
        te.reduce_axis((0, size), name=f"{stage}_{axis}")
        for size, axis in ((kernel_h, "ky"), (kernel_w, "kx"))
    )

    def product(y: Any, column: Any, c: Any) -> Any:
        row = y * window.stride_h + ky * window.dilation_h
        at = column * window.stride_w + kx * window.dilation_w
        source = c if multiplier == 1 else c // multiplier
        return te.sum(x[row, at, source] * w[ky, kx, c], axis=[ky, kx])

    sums = te.compute((height, width, channels), product, name=f"{stage}_sums")
    result = te.compute(
        (height, width, channels),
        lambda y, column, c: _clamped(sums[y, column, c] + b[c], attributes.activation),
        name=f"{stage}_result",
    )
    lanes = network.vectors.lanes
    while lanes > 1 and (channels % lanes or multiplier > 1):
        lanes //= 2
    positions = tile(width, network.vectors.positions)
    longer = sum(size > 1 for size in (kernel_h, kernel_w))
    network.rowwise.append(
        Rowwise(padded, f"{stage}_sums", f"{stage}_result", positions, lanes, longer)
    )
    return result


def _dense(network: Network, node: Node, stage: str) -> Any:
    from tvm import te

    graph, attributes = network.graph, node.attributes
    assert isinstance(attributes, FullyConnected)
    weights, bias = (reals(graph.tensors[name]) for name in node.inputs[1:3])
    units, inputs = weights.shape
    block, lanes = _channel_block(units, network.vectors.lanes, network.vectors.units)
    packed = _blocked(weights.T, block)
    w = network.constant(packed, f"{stage}_weights")
    b = network.constant(bias, f"{stage}_bias")
    x = network.operand(node.inputs[0], stage)
    ic = te.reduce_axis((0, inputs), name=f"{stage}_ic")
    sums = te.compute(
        (packed.shape[0], block),
        lambda o, i: te.sum(x[ic] * w[o, ic, i], axis=[ic]),
        name=f"{stage}_sums",
    )
    longer = int(inputs > 1)
    network.tiled.append(Tiled("", f"{stage}_sums", f"{stage}_result", 0, block, lanes, longer))
    return te.compute(
        (units,),
        lambda o: _clamped(sums[o // block, o % block] + b[o], attributes.activation),
        name=f"{stage}_result",
    )


def _plain(network: Network, stage: str, shape: tuple[int, ...], value: Callable[..., Any]) -> Any:
    """One stage without sums."""
    from tvm import te

    network.plain.append(f"{stage}_result")
    return te.compute(shape, value, name=f"{stage}_result")


def _output_shape(network: Network, node: Node) -> tuple[int, ...]:
    return inner_shape(network.graph.tensors[node.outputs[0]].shape)


def _read(x: Any, indices: tuple[Any, ...]) -> Any:
    """An operand of an elementwise operator: whole, one row of channels, or a single value."""
    sizes = [int(n) for n in x.shape]
    kept = indices[len(indices) - len(sizes) :]
    at = tuple(0 if size == 1 else index for size, index in zip(sizes, kept, strict=True))
    return x[at]


def _elementwise(operation: Callable[[Any, Any], Any]) -> Callable[[Network, Node, str], Any]:
    def compute(network: Network, node: Node, stage: str) -> Any:
        assert isinstance(node.attributes, Elementwise)
        activation = node.attributes.activation
        first, second = (network.operand(name, stage) for name in node.inputs)

        def value(*indices: Any) -> Any:
            both = _read(first, indices), _read(second, indices)
            return _clamped(operation(*both), activation)

        return _plain(network, stage, _output_shape(network, node), value)

    return compute


def _pool(network: Network, node: Node, stage: str) -> Any:
    """Both poolings: the padding has no part in the largest value or in the mean."""
    from tvm import te

    attributes, window = node.attributes, getattr(node.attributes, "window", None)
    assert isinstance(attributes, Pool2D)
    assert isinstance(window, Window)
    x, largest = network.operand(node.inputs[0], stage), node.kind is OpKind.MAX_POOL_2D
    height, width = (int(n) for n in x.shape[:2])
    ky = te.reduce_axis((0, attributes.kernel_h), name=f"{stage}_ky")
    kx = te.reduce_axis((0, attributes.kernel_w), name=f"{stage}_kx")
    shape = _output_shape(network, node)

    def at(y: Any, column: Any) -> tuple[Any, Any]:
        return (
            y * window.stride_h + ky - window.pad_top,
            column * window.stride_w + kx - window.pad_left,
        )

    def reduced(y: Any, column: Any, c: Any) -> Any:
        row, position = at(y, column)
        inside = te.all(row >= 0, row < height, position >= 0, position < width)
        outside = te.min_value(FLOAT) if largest else te.const(0.0, FLOAT)
        value = te.if_then_else(inside, x[row, position, c], outside)
        return (te.max if largest else te.sum)(value, axis=[ky, kx])

    sums = te.compute(shape, reduced, name=f"{stage}_reduced")
    network.plain.append(f"{stage}_reduced")

    def count(index: Any, stride: int, before: int, kernel: int, size: int) -> Any:
        first = te.max(index * stride - before, 0)
        return te.min(index * stride - before + kernel, size) - first

    def result(y: Any, column: Any, c: Any) -> Any:
        value = sums[y, column, c]
        if not largest:
            rows = count(y, window.stride_h, window.pad_top, attributes.kernel_h, height)
            columns = count(column, window.stride_w, window.pad_left, attributes.kernel_w, width)
            value = value / (rows * columns).astype(FLOAT)
        return _clamped(value, attributes.activation)

    return _plain(network, stage, shape, result)


def _mean(network: Network, node: Node, stage: str) -> Any:
    from tvm import te

    assert isinstance(node.attributes, Mean)
    x = network.operand(node.inputs[0], stage)
    axes = [axis - 1 for axis in node.attributes.axes]
    sizes = [int(n) for n in x.shape]
    reduced = {a: te.reduce_axis((0, sizes[a]), name=f"{stage}_axis{a}") for a in axes}
    kept = [a for a in range(len(sizes)) if a not in reduced]

    def total(*indices: Any) -> Any:
        free = dict(zip(kept, indices, strict=True))
        at = tuple(reduced[a] if a in reduced else free[a] for a in range(len(sizes)))
        return te.sum(x[at], axis=list(reduced.values()))

    sums = te.compute(tuple(sizes[a] for a in kept), total, name=f"{stage}_reduced")
    network.plain.append(f"{stage}_reduced")
    factor = 1.0 / math.prod(sizes[a] for a in axes)
    keep = node.attributes.keep_dims

    def value(*indices: Any) -> Any:
        at = tuple(indices[a] for a in kept) if keep else indices
        return sums[at] * te.const(factor, FLOAT)

    return _plain(network, stage, _output_shape(network, node), value)


def _pad(network: Network, node: Node, stage: str) -> Any:
    from tvm import te

    assert isinstance(node.attributes, Pad)
    x, before = network.operand(node.inputs[0], stage), node.attributes.pads[1:]
    sizes = [int(n) for n in x.shape]

    def value(*indices: Any) -> Any:
        at = [index - low for index, (low, _) in zip(indices, before, strict=True)]
        inside = [bound for i, n in zip(at, sizes, strict=True) for bound in (i >= 0, i < n)]
        return te.if_then_else(te.all(*inside), x[tuple(at)], te.const(0.0, FLOAT))

    return _plain(network, stage, _output_shape(network, node), value)


def _reshape(network: Network, node: Node, stage: str) -> Any:
    x, shape = network.operand(node.inputs[0], stage), _output_shape(network, node)
    sizes = [int(n) for n in x.shape]

    def value(*indices: Any) -> Any:
        flat: Any = 0
        for index, size in zip(indices, shape, strict=True):
            flat = flat * size + index
        at = []
        for size in reversed(sizes):
            at.append(flat % size)
            flat = flat // size
        return x[tuple(reversed(at))]

    return _plain(network, stage, shape, value)


def _concatenation(network: Network, node: Node, stage: str) -> Any:
    from tvm import te

    assert isinstance(node.attributes, Concatenation)
    axis = node.attributes.axis - 1
    parts = [network.operand(name, stage) for name in node.inputs]
    starts = np.cumsum([0, *(int(part.shape[axis]) for part in parts)]).tolist()

    def value(*indices: Any) -> Any:
        def read(part: Any, start: int) -> Any:
            at = list(indices)
            at[axis] = indices[axis] - start
            return part[tuple(at)]

        found = read(parts[-1], starts[len(parts) - 1])
        for part, start, end in reversed(list(zip(parts[:-1], starts, starts[1:], strict=False))):
            found = te.if_then_else(indices[axis] < end, read(part, start), found)
        return found

    return _plain(network, stage, _output_shape(network, node), value)


def _softmax(network: Network, node: Node, stage: str) -> Any:
    from tvm import te

    assert isinstance(node.attributes, Softmax)
    x, beta = network.operand(node.inputs[0], stage), node.attributes.beta
    *front, size = (int(n) for n in x.shape)
    k, j = (te.reduce_axis((0, size), name=f"{stage}_{axis}") for axis in "kj")
    largest = te.compute(
        (*front, 1), lambda *i: te.max(x[(*i[:-1], k)], axis=[k]), name=f"{stage}_largest"
    )
    powers = te.compute(
        (*front, size),
        lambda *i: te.exp((x[i] - largest[(*i[:-1], 0)]) * te.const(beta, FLOAT)),
        name=f"{stage}_powers",
    )
    total = te.compute(
        (*front, 1), lambda *i: te.sum(powers[(*i[:-1], j)], axis=[j]), name=f"{stage}_total"
    )
    network.plain += [f"{stage}_{each}" for each in ("largest", "powers", "total")]
    return _plain(network, stage, (*front, size), lambda *i: powers[i] / total[(*i[:-1], 0)])


def _of_one(function: Callable[[Any], Any]) -> Callable[[Network, Node, str], Any]:
    def compute(network: Network, node: Node, stage: str) -> Any:
        x = network.operand(node.inputs[0], stage)
        return _plain(
            network, stage, _output_shape(network, node), lambda *indices: function(x[indices])
        )

    return compute


def _logistic(value: Any) -> Any:
    from tvm import te

    return te.const(1.0, FLOAT) / (te.const(1.0, FLOAT) + te.exp(-value))


def _same(network: Network, node: Node, stage: str) -> Any:
    """QUANTIZE changes the grid, not the reals."""
    return network.operand(node.inputs[0], stage)


COMPUTES: Mapping[OpKind, Callable[[Network, Node, str], Any]] = {
    OpKind.CONV_2D: _conv,
    OpKind.DEPTHWISE_CONV_2D: _depthwise,
    OpKind.FULLY_CONNECTED: _dense,
    OpKind.ADD: _elementwise(lambda a, b: a + b),
    OpKind.MUL: _elementwise(lambda a, b: a * b),
    OpKind.AVERAGE_POOL_2D: _pool,
    OpKind.MAX_POOL_2D: _pool,
    OpKind.MEAN: _mean,
    OpKind.PAD: _pad,
    OpKind.RESHAPE: _reshape,
    OpKind.CONCATENATION: _concatenation,
    OpKind.SOFTMAX: _softmax,
    OpKind.RELU: _of_one(lambda value: _clamped(value, Activation.RELU)),
    OpKind.RELU6: _of_one(lambda value: _clamped(value, Activation.RELU6)),
    OpKind.LOGISTIC: _of_one(_logistic),
    OpKind.QUANTIZE: _same,
}
