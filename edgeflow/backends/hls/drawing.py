"""Blocks as they are drawn one after another: each function adds one and returns its wire."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgeflow.backends.fpga.layer import Loops
from edgeflow.backends.hls.block import Block, Wire
from edgeflow.backends.hls.number import Number, holding, holding_all
from edgeflow.backends.hls.rounding import Affine
from edgeflow.graph.fixed_point import Int64Array


@dataclass
class Drawing:
    """The blocks so far."""

    blocks: list[Block] = field(default_factory=list)


def add(
    drawing: Drawing,
    name: str,
    kind: str,
    inputs: Sequence[str],
    attributes: Mapping[str, Any],
    types: Mapping[str, Number],
    weights: int = 0,
    constant_bits: int = 0,
) -> str:
    """A block; returns its name, an identifier of C that no other one has."""
    base = re.sub(r"\W", "_", name)
    base = base if base[:1].isalpha() else f"layer_{base}"
    taken = {block.name for block in drawing.blocks}
    free = base
    while free in taken:
        free = f"{base}_{sum(each.startswith(base) for each in taken)}"
    drawing.blocks.append(
        Block(free, kind, tuple(inputs), attributes, types, weights, constant_bits)
    )
    return free


def given(drawing: Drawing, shape: tuple[int, ...]) -> Wire:
    """The input: bytes as they are."""
    name = add(
        drawing, "given", "InputLayer", (), {"input_shape": list(shape)}, {"result": Number(8)}
    )
    return Wire(name, shape, 0, -128, 127)


def affine(drawing: Drawing, name: str, wire: Wire, found: Affine) -> str:
    """A scale and a bias for each channel."""
    unit = 2.0**-found.shift
    types = {
        "scale": holding_all(found.multipliers, found.shift),
        "bias": holding_all(found.offsets, found.shift),
        "result": found.result,
    }
    attributes = {
        "n_in": int(np.prod(wire.shape)),
        "n_filt": wire.channels,
        "scale_data": found.multipliers * unit,
        "bias_data": found.offsets * unit,
        "use_gamma": True,
        "use_beta": True,
    }
    count = len(found.offsets)
    bits = count * (types["scale"].bits + types["bias"].bits)
    inputs = [wire.block]
    return add(drawing, name, "BatchNormalization", inputs, attributes, types, 2 * count, bits)


def flattened(drawing: Drawing, wire: Wire) -> Wire:
    """The same values in a row."""
    if len(wire.shape) == 1:
        return wire
    size = int(np.prod(wire.shape))
    types = {"result": holding(wire.low, wire.high)}
    attributes = {"target_shape": [size]}
    name = add(drawing, f"{wire.block}_flat", "Reshape", [wire.block], attributes, types)
    return Wire(name, (size,), wire.zero, wire.low, wire.high)


def dense(drawing: Drawing, name: str, wire: Wire, weights: Int64Array) -> Wire:
    """Sums of weights [inputs, outputs]."""
    flat = flattened(drawing, wire)
    low, high = sums_between(flat, weights)
    attributes = {
        "n_in": weights.shape[0],
        "n_out": weights.shape[1],
        "weight_data": weights.astype(np.float64),
        "bias_data": np.zeros(weights.shape[1]),
        "weight_quantizer": None,
        "bias_quantizer": None,
    }
    types = _sum_types(weights, low, high)
    block = _weighted(drawing, name, "Dense", flat, attributes, weights, types)
    return Wire(block, (weights.shape[1],), 0, low, high)


def convolution(drawing: Drawing, name: str, wire: Wire, weights: Int64Array, loops: Loops) -> Wire:
    """Sums of weights [height, width, inputs, outputs] over windows."""
    channels = weights.shape[3]
    attributes = {
        **_window(wire, loops),
        "n_chan": wire.channels,
        "n_filt": channels,
        **products(weights.shape),
        "filt_height": weights.shape[0],
        "filt_width": weights.shape[1],
        "weight_data": weights.astype(np.float64),
        "bias_data": np.zeros(channels),
        "weight_quantizer": None,
        "bias_quantizer": None,
    }
    low, high = sums_between(wire, weights.reshape(-1, channels))
    types = _sum_types(weights, low, high)
    block = _weighted(drawing, name, "Conv2D", wire, attributes, weights, types)
    return Wire(block, (loops.rows, loops.columns, channels), 0, low, high)


def products(shape: tuple[int, ...]) -> dict[str, int]:
    """Of weights [height, width, inputs, outputs]: hls4ml's writer for Quartus asks for them."""
    return {"n_in": int(np.prod(shape[:3])), "n_out": shape[3]}


def depthwise(drawing: Drawing, name: str, wire: Wire, weights: Int64Array, loops: Loops) -> Wire:
    """Sums of weights [height, width, channels] over windows, each channel alone."""
    channels = weights.shape[2]
    attributes = {
        **_window(wire, loops),
        "n_chan": channels,
        "n_filt": channels,
        "depth_multiplier": 1,
        "filt_height": weights.shape[0],
        "filt_width": weights.shape[1],
        "depthwise_data": weights[..., None].astype(np.float64),
        "bias_data": np.zeros(channels),
        "depthwise_quantizer": None,
        "bias_quantizer": None,
    }
    low, high = sums_between(wire, weights.reshape(-1, channels))
    types = _sum_types(weights, low, high)
    block = _weighted(drawing, name, "DepthwiseConv2D", wire, attributes, weights, types)
    return Wire(block, (loops.rows, loops.columns, channels), 0, low, high)


def largest(drawing: Drawing, name: str, wire: Wire, loops: Loops) -> Wire:
    """The largest value in each window."""
    attributes = {
        **_window(wire, loops),
        "n_filt": wire.channels,
        "pool_height": loops.window_rows,
        "pool_width": loops.window_columns,
        "count_pad": False,
    }
    kept = holding(wire.low, wire.high)
    types = {"result": kept, "accum": kept}
    block = add(drawing, name, "MaxPooling2D", [wire.block], attributes, types)
    shape = loops.rows, loops.columns, wire.channels
    return Wire(block, shape, wire.zero, wire.low, wire.high)


def total(drawing: Drawing, name: str, first: Wire, second: Wire) -> Wire:
    """The sum of two tensors of one shape."""
    low, high = first.low + second.low, first.high + second.high
    types = {"result": holding(low, high)}
    inputs = [first.block, second.block]
    block = add(drawing, name, "Merge", inputs, {"op": "add"}, types)
    return Wire(block, first.shape, 0, low, high)


def sums_between(wire: Wire, rows: Int64Array) -> tuple[int, int]:
    """The least and the largest sum of weights [products, channels], partial ones included."""
    low, high = min(wire.low, 0), max(wire.high, 0)
    positive, negative = np.maximum(rows, 0).sum(axis=0), np.minimum(rows, 0).sum(axis=0)
    least, most = positive * low + negative * high, positive * high + negative * low
    return int(least.min()), int(most.max())


def _weighted(
    drawing: Drawing,
    name: str,
    kind: str,
    wire: Wire,
    attributes: Mapping[str, Any],
    weights: Int64Array,
    types: Mapping[str, Number],
) -> str:
    bits = weights.size * types["weight"].bits
    return add(drawing, name, kind, [wire.block], attributes, types, weights.size, bits)


def _sum_types(weights: Int64Array, low: int, high: int) -> dict[str, Number]:
    sums = holding(low, high)
    return {
        "weight": holding_all(weights),
        "bias": Number(2, signed=False),
        "accum": sums,
        "result": sums,
    }


def _window(wire: Wire, loops: Loops) -> dict[str, Any]:
    height, width, _ = wire.shape
    below = (loops.rows - 1) * loops.row_step + loops.window_rows - height - loops.pad_top
    right = (loops.columns - 1) * loops.column_step + loops.window_columns - width - loops.pad_left
    return {
        "data_format": "channels_last",
        "in_height": height,
        "in_width": width,
        "out_height": loops.rows,
        "out_width": loops.columns,
        "stride_height": loops.row_step,
        "stride_width": loops.column_step,
        "pad_top": loops.pad_top,
        "pad_left": loops.pad_left,
        "pad_bottom": max(0, below),
        "pad_right": max(0, right),
    }
