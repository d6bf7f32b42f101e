"""Constants of channels in the order of the lanes that take them."""

from __future__ import annotations

import numpy as np

from edgeflow.backends.firmware.c_text import ConstantArray, CType, Expression, Value
from edgeflow.backends.firmware.dsp_c.scaling import Channels, wrapped
from edgeflow.backends.firmware.kernel_set import LayerContext
from edgeflow.graph.fixed_point import Int64Array
from edgeflow.graph.requantize import conv_requantization

_LANES = 4


def in_lanes(values: Int64Array) -> Int64Array:
    """[vectors, 4]; zeros fill up the last."""
    return np.pad(values, (0, -len(values) % _LANES)).reshape(-1, _LANES)


def output_fields(layer: LayerContext) -> dict[str, Value]:
    """The struct `edgeflow_mve_outputs`."""
    values = conv_requantization(layer.graph, layer.node)
    return {
        "zero_point": values.output_zero_point,
        "minimum": values.range.minimum,
        "maximum": values.range.maximum,
    }


def dot(
    layer: LayerContext, found: Channels, rows: np.ndarray, what: str
) -> tuple[dict[str, Value], tuple[ConstantArray, ...]]:
    """The struct `edgeflow_mve_dot` and its arrays; `rows` are [outputs, taps] as pixels lie."""
    weights = layer.constant("weights", CType.INT8, rows, what)
    shifts = (in_lanes(-found.shifts) & 0xFF) << np.array([0, 8, 16, 24])
    words = [in_lanes(wrapped(found.bias)), in_lanes(found.multipliers)]
    constants = layer.constant(
        "constants",
        CType.INT32,
        np.column_stack([*words, wrapped(shifts.sum(axis=1))]),
        "of each four channels the biases, the multipliers, the shifts",
    )
    fields: dict[str, Value] = {
        "weights": Expression(weights.name),
        "constants": Expression(constants.name),
        "taps": rows.shape[1],
        "outputs": rows.shape[0],
        "to": output_fields(layer),
    }
    return fields, (weights, constants)
