"""From the integer graph to the accelerator's layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.fpga.exact_steps import Steps, steps_of
from edgeflow.backends.fpga.layer import Feature, Layer, Loops, Mode
from edgeflow.backends.fpga.tables import tables_of
from edgeflow.errors import UnsupportedOperatorError
from edgeflow.graph.fixed_point import (
    Int64Array,
    multiply_as_double,
    multiply_by_quantized_multiplier,
)
from edgeflow.graph.groups import groups
from edgeflow.graph.ir import Conv2D, Graph, Mean, Node, OpKind, Pool2D, Tensor
from edgeflow.graph.requantization import OutputRange
from edgeflow.graph.requantize import (
    conv_requantization,
    fully_connected_requantization,
    mean_requantization,
    pool_range,
)


def feature_of(tensor: Tensor) -> Feature:
    """A tensor as a feature map: a vector is one pixel."""
    shape = tensor.shape[1:]
    if len(shape) == 3:
        return Feature(*shape)
    return Feature(1, 1, int(np.prod(shape)))


def layer_of(
    graph: Graph, node: Node, inputs: tuple[str, ...], source: Feature, lanes: int
) -> Layer:
    """The layer of a node whose inputs lie in the feature maps of `inputs`, the first as `source`.

    Raises UnsupportedOperatorError for what the accelerator does not do.
    """
    rule = _RULES.get(node.kind)
    if rule is None:
        raise unsupported(node, "the accelerator has no such layer")
    return rule(_Case(graph, node, inputs, source, lanes))


def unsupported(node: Node, why: str) -> UnsupportedOperatorError:
    """What to tell about a node."""
    return UnsupportedOperatorError(
        f"{node.kind} '{node.name}': {why}.",
        hint="See docs/fpga.md for what runs on FPGAs; another network may do without it.",
    )


@dataclass(frozen=True)
class _Case:
    graph: Graph
    node: Node
    inputs: tuple[str, ...]
    source: Feature
    lanes: int

    @property
    def output(self) -> Tensor:
        return self.graph.tensors[self.node.outputs[0]]

    def zero_point(self, index: int = 0) -> int:
        grid = self.graph.tensors[self.node.inputs[index]].quantization
        assert grid is not None
        return grid.zero_points[0]


@dataclass(frozen=True, eq=False)
class _Sums:
    """The sums of a layer's channels: the steps of outputs, zero point taken off."""

    steps: Steps
    zero_point: int
    range: OutputRange


def _sums(
    function: Callable[[Int64Array], Int64Array],
    bounds: tuple[Int64Array, Int64Array],
    scales: NDArray[np.float64],
    zero_point: int,
    limits: OutputRange,
) -> _Sums:
    """Of what the graph makes of sums from the lower to the upper bound."""
    values = range(limits.minimum - zero_point, limits.maximum - zero_point + 1)
    return _Sums(steps_of(function, *bounds, scales, values), zero_point, limits)


def _finish(
    case: _Case,
    mode: Mode,
    loops: Loops,
    sums: _Sums,
    weights: NDArray[np.int8] | None,
    input_zero_point: int,
    useful_macs: int,
    tables: Int64Array | None = None,
) -> Layer:
    steps = sums.steps
    bits = int(max(np.abs(steps.low).max(), np.abs(steps.high).max())).bit_length() + 1
    return Layer(
        name=case.node.name,
        kind=case.node.kind,
        mode=mode,
        inputs=case.inputs,
        output=case.node.outputs[0],
        loops=loops,
        input_height=case.source.height,
        input_width=case.source.width,
        input_zero_point=input_zero_point,
        output_zero_point=sums.zero_point,
        minimum=sums.range.minimum,
        maximum=sums.range.maximum,
        weights=weights,
        steps=steps,
        tables=tables,
        sum_bits=bits,
        useful_macs=useful_macs,
    )


def _blocks(channels: int, lanes: int) -> int:
    return -(-channels // lanes)


def _bounds(rows: NDArray[np.int8], zero_point: int) -> tuple[Int64Array, Int64Array]:
    """Sums without bias, and partial sums, of weights [channels, products]."""
    positive = np.maximum(rows, 0).sum(axis=1, dtype=np.int64)
    negative = np.minimum(rows, 0).sum(axis=1, dtype=np.int64)
    least, most = -128 - zero_point, 127 - zero_point
    return positive * least + negative * most, positive * most + negative * least


def _constant(case: _Case, index: int) -> NDArray[np.int8] | NDArray[np.int32]:
    data = case.graph.tensors[case.node.inputs[index]].data
    if data is None:
        raise unsupported(case.node, "its weights are no constants")
    return data


def _window(case: _Case, height: int, width: int, channels: int, blocks: int) -> Loops:
    attributes = case.node.attributes
    assert isinstance(attributes, Conv2D | Pool2D)
    window = attributes.window
    _, rows, columns, _ = case.output.shape
    return Loops(
        rows=rows,
        columns=columns,
        blocks=blocks,
        window_rows=height,
        window_columns=width,
        channels=channels,
        row_step=window.stride_h,
        column_step=window.stride_w,
        row_dilation=window.dilation_h,
        column_dilation=window.dilation_w,
        pad_top=window.pad_top,
        pad_left=window.pad_left,
    )


def _conv_sums(case: _Case, rows: NDArray[np.int8]) -> _Sums:
    constants = conv_requantization(case.graph, case.node)
    bias = _constant(case, 2).astype(np.int64)
    multipliers, shifts = np.array(constants.multipliers), np.array(constants.shifts)
    return _sums(
        lambda sums: multiply_by_quantized_multiplier(sums + bias, multipliers, shifts),
        _bounds(rows, constants.input_zero_point),
        multipliers * 2.0 ** (shifts - 31.0),
        constants.output_zero_point,
        constants.range,
    )


def _conv(case: _Case) -> Layer:
    if groups(case.graph, case.node) != 1:
        raise unsupported(case.node, "it is grouped")
    weights = _constant(case, 1).astype(np.int8)
    channels, height, width, depth = weights.shape
    blocks = _blocks(channels, case.lanes)
    loops = _window(case, height, width, depth, blocks)
    return _finish(
        case,
        Mode.BROADCAST,
        loops,
        _conv_sums(case, weights.reshape(channels, -1)),
        _by_blocks(weights.reshape(channels, -1), case.lanes),
        case.zero_point(),
        loops.rows * loops.columns * weights.size,
    )


def _by_blocks(rows: NDArray[np.int8], lanes: int) -> NDArray[np.int8]:
    """Weights [channels, products] as words [blocks * products, lanes]."""
    padded = np.pad(rows, ((0, -len(rows) % lanes), (0, 0)))
    return padded.reshape(-1, lanes, rows.shape[1]).transpose(0, 2, 1).reshape(-1, lanes)


def _depthwise(case: _Case) -> Layer:
    weights = _constant(case, 1).astype(np.int8)
    _, height, width, channels = weights.shape
    alone = case.source.channels == 1
    if channels != case.source.channels and not alone:
        raise unsupported(case.node, "it has several outputs for each input channel")
    rows = weights.reshape(-1, channels).T
    loops = _window(case, height, width, 1, _blocks(channels, case.lanes))
    return _finish(
        case,
        # All outputs of a single channel see it, as in a convolution.
        Mode.BROADCAST if alone else Mode.LANEWISE,
        loops,
        _conv_sums(case, rows),
        _by_blocks(rows, case.lanes),
        case.zero_point(),
        loops.rows * loops.columns * weights.size,
    )


def _dense(case: _Case) -> Layer:
    """A window over the whole feature map: flattening needs no copy."""
    weights = _constant(case, 1).astype(np.int8)
    units = len(weights)
    constants = fully_connected_requantization(case.graph, case.node)
    bias = _constant(case, 2).astype(np.int64)
    factors, right = np.array(constants.multipliers), np.array(constants.right_shifts)
    sums = _sums(
        lambda sums: multiply_as_double(sums + bias, factors, right),
        _bounds(weights, constants.input_zero_point),
        np.ldexp(factors.astype(np.float64), -right),
        constants.output_zero_point,
        constants.range,
    )
    source = case.source
    loops = Loops(1, 1, _blocks(units, case.lanes), source.height, source.width, source.channels)
    words = _by_blocks(weights, case.lanes)
    return _finish(case, Mode.BROADCAST, loops, sums, words, case.zero_point(), weights.size)


def _all_channels(value: float, channels: int) -> NDArray[np.float64]:
    return np.full(channels, value)


def _average(case: _Case) -> Layer:
    attributes = case.node.attributes
    assert isinstance(attributes, Pool2D)
    window = attributes.window
    if any((window.pad_top, window.pad_bottom, window.pad_left, window.pad_right)):
        raise unsupported(case.node, "averages at padded edges divide by other counts")
    count = attributes.kernel_h * attributes.kernel_w
    channels = case.source.channels

    def function(sums: Int64Array) -> Int64Array:
        rounded: Int64Array = np.sign(sums) * ((np.abs(sums) + count // 2) // count)
        return rounded

    bound = np.full(channels, 128 * count, np.int64)
    limits = pool_range(case.graph, case.node)
    sums = _sums(function, (-bound, bound), _all_channels(1 / count, channels), 0, limits)
    loops = _window(
        case, attributes.kernel_h, attributes.kernel_w, 1, _blocks(channels, case.lanes)
    )
    return _finish(case, Mode.LANEWISE, loops, sums, None, 0, 0)


def _largest(case: _Case) -> Layer:
    attributes = case.node.attributes
    assert isinstance(attributes, Pool2D)
    channels = case.source.channels
    # Less -128 nothing is below the zeros that stand for padding.
    low, high = np.zeros(channels, np.int64), np.full(channels, 255, np.int64)
    limits = pool_range(case.graph, case.node)
    sums = _sums(lambda sums: sums, (low, high), _all_channels(1.0, channels), -128, limits)
    loops = _window(
        case, attributes.kernel_h, attributes.kernel_w, 1, _blocks(channels, case.lanes)
    )
    return _finish(case, Mode.LARGEST, loops, sums, None, -128, 0)


def _mean(case: _Case) -> Layer:
    attributes = case.node.attributes
    assert isinstance(attributes, Mean)
    source = case.source
    if len(case.graph.tensors[case.node.inputs[0]].shape) != 4 or attributes.axes != (1, 2):
        raise unsupported(case.node, "only means over height and width run")
    constants = mean_requantization(case.graph, case.node)
    zero_point, count = constants.input_zero_point, constants.count
    channels = source.channels
    low = np.full(channels, count * (-128 - zero_point), np.int64)
    high = np.full(channels, count * (127 - zero_point), np.int64)
    sums = _sums(
        lambda sums: multiply_by_quantized_multiplier(sums, constants.multiplier, constants.shift),
        (np.minimum(low, -1), np.maximum(high, 1)),
        _all_channels(constants.multiplier * 2.0 ** (constants.shift - 31), channels),
        constants.output_zero_point,
        constants.range,
    )
    blocks = _blocks(channels, case.lanes)
    loops = Loops(1, 1, blocks, source.height, source.width, 1)
    return _finish(case, Mode.LANEWISE, loops, sums, None, zero_point, 0)


def _table(case: _Case) -> Layer:
    """Operators of single values: tables of them, and steps of the tables' sum."""
    source = case.source
    found = tables_of(case.graph, case.node)
    if found is None:
        raise unsupported(case.node, "its operands have different shapes, or no exact tables")
    blocks = _blocks(source.channels, case.lanes)
    loops = Loops(source.height, source.width, blocks, 1, 1, 1)
    sums = _Sums(found.steps, 0, found.range)
    return _finish(case, Mode.TABLE, loops, sums, None, 0, 0, found.tables)


_RULES: Mapping[OpKind, Callable[[_Case], Layer]] = {
    OpKind.CONV_2D: _conv,
    OpKind.DEPTHWISE_CONV_2D: _depthwise,
    OpKind.FULLY_CONNECTED: _dense,
    OpKind.AVERAGE_POOL_2D: _average,
    OpKind.MAX_POOL_2D: _largest,
    OpKind.MEAN: _mean,
    OpKind.ADD: _table,
    OpKind.RELU: _table,
    OpKind.RELU6: _table,
    OpKind.LOGISTIC: _table,
    OpKind.QUANTIZE: _table,
}
