"""Fields and arguments that the calls of several kernels share."""

from __future__ import annotations

from edgeflow.backends.firmware.c_text import ConstantArray, CType, Expression, Value
from edgeflow.backends.firmware.rendering import LayerContext
from edgeflow.graph.requantization import OutputRange


def clamp_fields(bounds: OutputRange, zero_point: int) -> dict[str, Value]:
    """The kernels clamp before they add the zero point, so that the addition cannot overflow."""
    return {
        "minimum": bounds.minimum - zero_point,
        "maximum": bounds.maximum - zero_point,
        "zero_point": zero_point,
    }


def operand_place(layer: LayerContext, index: int) -> tuple[Expression, tuple[ConstantArray, ...]]:
    """Where an operand lies, and the array to add to the model where it is a constant."""
    tensor = layer.input(index)
    if tensor.data is None:
        return layer.place(tensor.name), ()
    array = layer.constant(f"operand_{index}", CType.INT8, tensor.data, f"{list(tensor.shape)}")
    return Expression(array.name), (array,)
