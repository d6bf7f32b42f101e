"""Constants of channels in the order of the lanes that take them."""

from __future__ import annotations

import numpy as np

from edgeflow.backends.firmware.c_text import ConstantArray, CType, Expression, Value
from edgeflow.backends.firmware.dsp_c.scaling import Channels, wrapped
from edgeflow.backends.firmware.kernel_set import LayerContext
from edgeflow.graph.fixed_point import Int64Array
from edgeflow.graph.requantize import conv_requantization

_LANES = 4
_VECTOR_BYTES = 16


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
    # The narrow kernel reads whole vectors.
    beyond = max(_VECTOR_BYTES - rows.shape[1], 0)
    weights = layer.constant("weights", CType.INT8, np.pad(rows.reshape(-1), (0, beyond)), what)
    shifts = (in_lanes(-found.shifts) & 0xFF) << np.array([0, 8, 16, 24])
    words = [in_lanes(wrapped(found.bias)), in_lanes(found.multipliers)]
    constants = layer.constant(
        "constants",
        CType.INT32,
        np.column_stack([*words, wrapped(shifts.sum(axis=1))]),
        "of each four channels the biases, the multipliers, the shifts",
    )
    narrow = rows.shape[1] <= _VECTOR_BYTES
    fields: dict[str, Value] = {
        "weights": Expression(weights.name),
        "constants": Expression(constants.name),
        "taps": rows.shape[1],
        "outputs": rows.shape[0],
        "to": output_fields(layer),
        "triples": Expression("edgeflow_mve_narrow_triples" if narrow else "edgeflow_mve_triples"),
    }
    return fields, (weights, constants)
