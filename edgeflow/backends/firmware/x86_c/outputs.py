"""The struct `edgeflow_x86_outputs` and its arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.c_text import ConstantArray, CType, Expression, Value
from edgeflow.backends.firmware.rendering import LayerContext
from edgeflow.graph.requantization import OutputRange

OFFSET = 128
"""What is added to a value in the copy of an image."""


def output_constants(
    layer: LayerContext, bias: NDArray[np.int64], scaling: NDArray[np.int64]
) -> tuple[ConstantArray, ConstantArray]:
    """Biases, and what `rescaled` found, [4, ...] as many of each as biases."""
    what = "multipliers, shifts, bases below zero, bases from zero on"
    return (
        layer.constant("bias", CType.INT32, bias, "bias, zero point and offset folded in"),
        layer.constant("scaling", CType.INT32, scaling, what),
    )


def output_fields(
    bounds: OutputRange, bias: ConstantArray, scaling: ConstantArray, sum_shift: int
) -> dict[str, Value]:
    """The struct for arrays of `output_constants`."""
    step = bias.values.size
    _, _, below, above = scaling.values.reshape(4, -1)
    whole = (bounds.minimum, bounds.maximum) == (-128, 127)
    return {
        "bias": Expression(bias.name),
        "multiplier": Expression(scaling.name),
        "shift": Expression(f"{scaling.name} + {step}"),
        "below": Expression(f"{scaling.name} + {2 * step}"),
        "above": Expression(f"{scaling.name} + {3 * step}"),
        "sum_shift": sum_shift,
        "minimum": bounds.minimum,
        "maximum": bounds.maximum,
        "is_plain": int(whole and np.array_equal(below, above)),
    }
