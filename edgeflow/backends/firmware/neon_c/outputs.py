"""The channels that NEON kernels take, and the struct `edgeflow_neon_outputs`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.c_text import ConstantArray, CType, Expression, Value
from edgeflow.backends.firmware.dsp_c.scaling import Channels, settled_channels
from edgeflow.backends.firmware.rendering import LayerContext
from edgeflow.graph.ir import Graph, Node
from edgeflow.graph.requantize import conv_requantization

_LARGEST_SUM = 2**30
_LARGEST_SHIFT = 30
_LARGEST_WEIGHT = 127


def fast_channels(graph: Graph, node: Node) -> Channels | None:
    """The channels of a convolution; None with large sums or weights of -128.

    The kernels shift to the right alone. A shift to the left goes into the channel's weights and
    bias instead: they are narrow where scales are that large, and their sums are exact.
    """
    found = settled_channels(graph, node)
    left = np.minimum(np.maximum(-found.shifts, 0), _LARGEST_SHIFT)
    rows = found.rows.astype(np.int64) << left[:, None]
    if np.any(np.abs(rows) > _LARGEST_WEIGHT):
        return None
    shifted = replace(
        found,
        rows=rows.astype(np.int8),
        bias=found.bias << left,
        low=found.low << left,
        high=found.high << left,
        shifts=found.shifts + left,
    )
    reach = np.maximum(np.abs(shifted.low), np.abs(shifted.high))
    fits = np.all((shifted.shifts <= _LARGEST_SHIFT) & (reach < _LARGEST_SUM))
    return shifted if fits else None


def output_constants(
    layer: LayerContext,
    bias: NDArray[np.int64],
    multipliers: NDArray[np.int64],
    shifts: NDArray[np.int64],
) -> tuple[ConstantArray, ...]:
    """Biases, multipliers and shifts, as many of each."""
    return (
        layer.constant("bias", CType.INT32, bias, "bias, input zero point folded in"),
        layer.constant("multiplier", CType.INT32, multipliers, "multipliers"),
        layer.constant("shift", CType.INT32, shifts, "shifts to the right"),
    )


def output_fields(layer: LayerContext, constants: tuple[ConstantArray, ...]) -> dict[str, Value]:
    """The struct for arrays of `output_constants`."""
    values = conv_requantization(layer.graph, layer.node)
    names = ("bias", "multiplier", "shift")
    arrays: dict[str, Value] = {
        name: Expression(array.name) for name, array in zip(names, constants, strict=True)
    }
    return {
        **arrays,
        "zero_point": values.output_zero_point,
        "minimum": values.range.minimum,
        "maximum": values.range.maximum,
    }
