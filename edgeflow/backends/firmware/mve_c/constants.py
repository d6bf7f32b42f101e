"""Constants of channels in the order of the lanes that take them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.c_text import ConstantArray, CType, Expression, Value
from edgeflow.backends.firmware.dsp_c.scaling import Channels, wrapped
from edgeflow.backends.firmware.mve_c.weights import VECTOR_BYTES, stored
from edgeflow.backends.firmware.rendering import LayerContext
from edgeflow.graph.fixed_point import Int64Array
from edgeflow.graph.requantize import conv_requantization

_LANES = 4
_DOT_SOURCES = (
    "edgeflow_mve_dot.c",
    "edgeflow_mve_triples.S",
    "edgeflow_mve_narrow_triples.S",
    "edgeflow_mve_singles.S",
)


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


@dataclass(frozen=True)
class Dot:
    """The struct `edgeflow_mve_dot`, its arrays and the files of its functions."""

    fields: Mapping[str, Value]
    arrays: tuple[ConstantArray, ...]
    sources: tuple[str, ...]


def dot(layer: LayerContext, found: Channels, rows: NDArray[np.int8], what: str) -> Dot:
    """Inner products with `rows` [outputs, taps], taps in the order in which pixels lie."""
    weights = stored(layer, rows, what)
    shifts = (in_lanes(-found.shifts) & 0xFF) << np.array([0, 8, 16, 24])
    words = [in_lanes(wrapped(found.bias)), in_lanes(found.multipliers)]
    constants = layer.constant(
        "constants",
        CType.INT32,
        np.column_stack([*words, wrapped(shifts.sum(axis=1))]),
        "of each four channels the biases, the multipliers, the shifts",
    )
    narrow = rows.shape[1] <= VECTOR_BYTES
    fields: dict[str, Value] = {
        "weights": weights.place,
        "constants": Expression(constants.name),
        "taps": rows.shape[1],
        "outputs": rows.shape[0],
        "to": output_fields(layer),
        "triples": Expression("edgeflow_mve_narrow_triples" if narrow else "edgeflow_mve_triples"),
        "output_step": rows.shape[0],
        **weights.packed_fields,
    }
    return Dot(fields, (weights.array, constants), (*_DOT_SOURCES, *weights.sources))
