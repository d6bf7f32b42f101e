"""From the integer graph to blocks of hls4ml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from edgeflow.backends.fpga.layer import Feature, Layer, Mode
from edgeflow.backends.fpga.layers import unsupported
from edgeflow.backends.fpga.network import accelerated, answer_of, same_places
from edgeflow.backends.fpga.spatial.network import spatial_layers
from edgeflow.backends.hls import drawing as draw
from edgeflow.backends.hls.block import HlsNetwork, Wire
from edgeflow.backends.hls.drawing import Drawing
from edgeflow.backends.hls.linear import Linear, linear_of
from edgeflow.backends.hls.number import SIGNED_BYTE, UNSIGNED_BYTE, Number, holding
from edgeflow.backends.hls.rounding import Affine, TwoRoundings, affines_of, constant
from edgeflow.graph.fixed_point import Int64Array
from edgeflow.graph.ir import Graph, Node, OpKind
from edgeflow.graph.requantize import conv_requantization


def hls_network(graph: Graph) -> HlsNetwork:
    """The blocks of a graph up to what the host computes.

    Raises UnsupportedOperatorError for what the project cannot compute exactly.
    """
    layers, features = spatial_layers(graph)
    nodes = {node.name: node for node in accelerated(graph)}
    drawing = Drawing()
    start = draw.given(drawing, graph.tensors[graph.inputs[0]].shape[1:])
    wires = {graph.inputs[0]: start}
    for number, layer in enumerate(layers, 1):
        title = f"layer{number}_{layer.kind.lower()}"
        case = _Case(graph, nodes[layer.name], layer, features[layer.output], drawing, title)
        wires[layer.output] = _RULES[layer.mode](case, [wires[name] for name in layer.inputs])
    same, answer = same_places(graph), answer_of(graph)
    return HlsNetwork(tuple(drawing.blocks), start, wires[same.get(answer, answer)])


@dataclass(frozen=True)
class _Case:
    graph: Graph
    node: Node
    layer: Layer
    feature: Feature
    drawing: Drawing
    title: str


def _multiplied(case: _Case, wires: list[Wire]) -> Wire:
    """A convolution or a dense layer: every output of all input channels."""
    layer, channels = case.layer, case.feature.channels
    assert layer.weights is not None
    rows = layer.weights[:, :channels].astype(np.int64)
    if case.node.kind is OpKind.FULLY_CONNECTED:
        sums = draw.dense(case.drawing, case.title, wires[0], rows)
        return _requantized(case, sums, _left_out(layer, wires[0], rows))
    wire = _padded(case, wires[0])
    loops = layer.loops
    shape = loops.window_rows, loops.window_columns, loops.channels, channels
    sums = draw.convolution(case.drawing, case.title, wire, rows.reshape(shape), loops)
    return _requantized(case, sums, _left_out(layer, wire, rows))


def _lanewise(case: _Case, wires: list[Wire]) -> Wire:
    """A depthwise convolution, or an average of a window."""
    layer, channels = case.layer, case.feature.channels
    wire = _padded(case, wires[0])
    loops = layer.loops
    rows = np.ones((loops.products, channels), np.int64)
    if layer.weights is not None:
        rows = layer.weights[:, :channels].astype(np.int64)
    weights = rows.reshape(loops.window_rows, loops.window_columns, channels)
    sums = draw.depthwise(case.drawing, case.title, wire, weights, loops)
    return _requantized(case, sums, _left_out(layer, wire, rows))


def _largest(case: _Case, wires: list[Wire]) -> Wire:
    layer, wire = case.layer, wires[0]
    loops = layer.loops
    steps = loops.row_step, loops.column_step
    if loops.pad_top or loops.pad_left or steps != (loops.window_rows, loops.window_columns):
        raise unsupported(case.node, "hls4ml pools streams without padding and overlap only")
    found = draw.largest(case.drawing, case.title, wire, loops)
    if (layer.minimum, layer.maximum) == (-128, 127):
        return found
    left_out = np.full(found.channels, wire.zero - layer.input_zero_point)
    return _requantized(case, found, left_out)


def _table(case: _Case, wires: list[Wire]) -> Wire:
    """A sum of two tensors, or a change of scale: linear, or refused."""
    layer = case.layer
    found = linear_of(case.graph, case.node, layer)
    if found is None:
        raise unsupported(case.node, "no linear function gives all of its values")
    operands = [
        _times(case, wire, factor) for wire, factor in zip(wires, found.factors, strict=True)
    ]
    sums = operands[0]
    if len(operands) == 2:
        sums = draw.total(case.drawing, case.title, *operands)
    left_out = sum(factor * wire.zero for wire, factor in zip(wires, found.factors, strict=True))
    return _rounded(case, sums, found, np.array([left_out]))


def _times(case: _Case, wire: Wire, factor: int) -> Wire:
    if factor == 1:
        return wire
    low, high = factor * wire.low, factor * wire.high
    scaled = replace(constant(wire.channels, 0, holding(low, high)))
    scaled = replace(scaled, multipliers=scaled.multipliers * factor)
    block = draw.affine(case.drawing, f"{case.title}_operand", wire, scaled)
    return Wire(block, wire.shape, 0, low, high)


def _rounded(case: _Case, sums: Wire, found: Linear, left_out: Int64Array) -> Wire:
    layer = replace(case.layer, steps=found.steps, minimum=found.low, maximum=found.high)
    return _requantized(replace(case, layer=layer), sums, left_out)


def _padded(case: _Case, wire: Wire) -> Wire:
    """With zeros where the graph pads: what hls4ml puts there."""
    layer, loops = case.layer, case.layer.loops
    if loops.row_dilation != 1 or loops.column_dilation != 1:
        raise unsupported(case.node, "hls4ml has no dilated windows")
    moved = layer.input_zero_point - wire.zero
    ends = (loops.rows - 1) * loops.row_step + loops.window_rows - loops.pad_top
    across = (loops.columns - 1) * loops.column_step + loops.window_columns - loops.pad_left
    pads = loops.pad_top or loops.pad_left or ends > wire.shape[0] or across > wire.shape[1]
    if not pads or moved == 0:
        return wire
    low, high = wire.low - moved, wire.high - moved
    centered = constant(wire.channels, -moved, holding(low, high))
    block = draw.affine(case.drawing, f"{case.title}_centered", wire, centered)
    return Wire(block, wire.shape, layer.input_zero_point, low, high)


def _left_out(layer: Layer, wire: Wire, rows: Int64Array) -> Int64Array:
    """What the sums of the wire's values lack."""
    return (wire.zero - layer.input_zero_point) * rows.sum(axis=0)


def _requantized(case: _Case, sums: Wire, left_out: Int64Array) -> Wire:
    """The layer's results of its sums."""
    layer, channels = case.layer, case.feature.channels
    zero, low, high = layer.output_zero_point, layer.minimum, layer.maximum
    size = high - low + 1
    if size == 1:
        return _always(case, sums, low)
    if (low, high) == (-128, 127) and zero != low:
        return _stages(case, sums, left_out, zero, SIGNED_BYTE, Wire("", (), 0, low, high))
    if size & (size - 1) == 0:
        unsigned = Number(size.bit_length() - 1, signed=False, saturates=True)
        form = Wire("", (), low, 0, high - low)
        return _stages(case, sums, left_out, zero - low, unsigned, form)
    # Two types cut at the two ends.
    above = 127 - high
    cut = _stages(case, sums, left_out, zero + above, SIGNED_BYTE, Wire("", (), 0, -128, 127))
    if above + low == 0:
        raise unsupported(case.node, f"its results end at {low} and {high}")
    lower = constant(channels, -above - low, UNSIGNED_BYTE)
    block = draw.affine(case.drawing, f"{case.title}_cut", cut, lower)
    return Wire(block, cut.shape, low, 0, high - low)


def _always(case: _Case, sums: Wire, value: int) -> Wire:
    """The one result that there is."""
    zeros = np.zeros(sums.channels, np.int64)
    nothing = Affine(zeros, zeros, 0, Number(2, signed=False))
    block = draw.affine(case.drawing, f"{case.title}_scaled", sums, nothing)
    return Wire(block, sums.shape, value, 0, 0)


def _stages(
    case: _Case, sums: Wire, left_out: Int64Array, added: int, result: Number, form: Wire
) -> Wire:
    layer = case.layer
    channels = sums.channels
    found = affines_of(layer.steps, left_out, added, result, _twice(case))
    if found is None:
        raise unsupported(case.node, "no scale and bias requantize it exactly")
    wire = sums
    for number, each in enumerate(found):
        spread = replace(
            each,
            multipliers=np.broadcast_to(each.multipliers, channels),
            offsets=np.broadcast_to(each.offsets, channels),
        )
        suffix = "scaled" if number == 0 else f"rounded_{number}"
        block = draw.affine(case.drawing, f"{case.title}_{suffix}", wire, spread)
        wire = replace(wire, block=block)
    return replace(form, block=wire.block, shape=sums.shape)


def _twice(case: _Case) -> TwoRoundings | None:
    if case.node.kind not in (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D):
        return None
    constants = conv_requantization(case.graph, case.node)
    bias = case.graph.tensors[case.node.inputs[2]].data
    assert bias is not None
    return TwoRoundings(
        np.array(constants.multipliers, np.int64),
        np.array(constants.shifts, np.int64),
        bias.astype(np.int64),
    )


_RULES: Mapping[Mode, Callable[[_Case, list[Wire]], Wire]] = {
    Mode.BROADCAST: _multiplied,
    Mode.LANEWISE: _lanewise,
    Mode.LARGEST: _largest,
    Mode.TABLE: _table,
}
