"""What blocks compute, in whole numbers: scales and types as ap_fixed and ac_fixed define them."""

from __future__ import annotations

import numpy as np

from edgeflow.backends.hls.block import Block, HlsNetwork
from edgeflow.backends.hls.number import Number, Rounding
from edgeflow.graph.fixed_point import Int64Array


def evaluate(network: HlsNetwork, x: Int64Array) -> Int64Array:
    """The answer's values [N, ...] of inputs [N, ...]."""
    found: dict[str, Int64Array] = {}
    results = {block.name: block.types["result"] for block in network.blocks}
    for block in network.blocks:
        given = [found[name] for name in block.inputs]
        result = results[block.name]
        if block.kind == "InputLayer":
            values = x
        elif block.kind == "BatchNormalization":
            values = _affine(block, given[0], results[block.inputs[0]].fraction)
        else:
            values = _RULES[block.kind](block, given)
        # Only types that cut may meet what they do not hold.
        whole = Number(result.bits, 0, result.signed)
        assert np.array_equal(cast(values, 0, whole), values), block.name
        found[block.name] = values
    return found[network.answer.block]


def cast(values: Int64Array, fraction: int, to: Number) -> Int64Array:
    """Values in units of 2**-fraction to a type, in units of its own last bit."""
    drop = fraction - to.fraction
    if drop < 0:
        values, drop = values << -drop, 0
    if drop:
        half = 1 << (drop - 1)
        match to.rounding:
            case Rounding.DOWN:
                values = values >> drop
            case Rounding.HALF_UP:
                values = (values + half) >> drop
            case Rounding.HALF_AWAY:
                values = np.sign(values) * ((np.abs(values) + half) >> drop)
    low = -(1 << (to.bits - 1)) if to.signed else 0
    high = low + (1 << to.bits) - 1
    if to.saturates:
        return np.clip(values, low, high)
    return (values - low) % (1 << to.bits) + low


def _affine(block: Block, x: Int64Array, given_fraction: int) -> Int64Array:
    fraction = block.types["scale"].fraction
    assert fraction == block.types["bias"].fraction
    multipliers, offsets = (
        np.rint(block.attributes[name] * 2.0**fraction).astype(np.int64)
        for name in ("scale_data", "bias_data")
    )
    values = x * multipliers + (offsets << given_fraction)
    return cast(values, fraction + given_fraction, block.types["result"])


def _dense(block: Block, given: list[Int64Array]) -> Int64Array:
    return given[0] @ block.attributes["weight_data"].astype(np.int64)


def _windows(block: Block, x: Int64Array, height: int, width: int) -> Int64Array:
    """[N, rows, columns, channels, height, width]."""
    a = block.attributes
    pads = (0, 0), (a["pad_top"], a["pad_bottom"]), (a["pad_left"], a["pad_right"]), (0, 0)
    views = np.lib.stride_tricks.sliding_window_view(np.pad(x, pads), (height, width), (1, 2))
    views = views[:, :: a["stride_height"], :: a["stride_width"]]
    return views[:, : a["out_height"], : a["out_width"]]


def _convolution(block: Block, given: list[Int64Array]) -> Int64Array:
    weights = block.attributes["weight_data"].astype(np.int64)
    return np.einsum("nrcihw,hwio->nrco", _windows(block, given[0], *weights.shape[:2]), weights)


def _depthwise(block: Block, given: list[Int64Array]) -> Int64Array:
    weights = block.attributes["depthwise_data"][..., 0].astype(np.int64)
    return np.einsum("nrcihw,hwi->nrci", _windows(block, given[0], *weights.shape[:2]), weights)


def _largest(block: Block, given: list[Int64Array]) -> Int64Array:
    size = block.attributes["pool_height"], block.attributes["pool_width"]
    return _windows(block, given[0], *size).max(axis=(4, 5))


_RULES = {
    "Conv2D": _convolution,
    "Dense": _dense,
    "DepthwiseConv2D": _depthwise,
    "MaxPooling2D": _largest,
    "Merge": lambda _, given: given[0] + given[1],
    "Reshape": lambda _, given: given[0].reshape(len(given[0]), -1),
}
