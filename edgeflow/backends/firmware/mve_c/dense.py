"""FULLY_CONNECTED as inner products of the input with four outputs at a time."""

from __future__ import annotations

import numpy as np

from edgeflow.backends.firmware import portable_c
from edgeflow.backends.firmware.c_text import CType, Expression, Value
from edgeflow.backends.firmware.dsp_c.scaling import wrapped
from edgeflow.backends.firmware.kernel_set import KernelCall, LayerContext, RenderedLayer
from edgeflow.backends.firmware.mve_c.constants import in_lanes
from edgeflow.backends.firmware.one_multiply import dense_outputs
from edgeflow.graph.ir import OpKind

_FUNCTION = "edgeflow_mve_fully_connected"


def fully_connected(layer: LayerContext) -> RenderedLayer:
    """FULLY_CONNECTED."""
    found = dense_outputs(layer.graph, layer.node)
    if found is None:
        return portable_c.RENDERERS[OpKind.FULLY_CONNECTED](layer)
    weights = layer.constant(
        "weights", CType.INT8, found.rows, f"weights {list(layer.input(1).shape)}"
    )
    words = [in_lanes(wrapped(found.bias)), in_lanes(found.multipliers)]
    constants = layer.constant(
        "constants",
        CType.INT32,
        np.column_stack(words),
        "of each four outputs the biases, the multipliers",
    )
    outputs, inputs = found.rows.shape
    fields: dict[str, Value] = {
        "weights": Expression(weights.name),
        "constants": Expression(constants.name),
        "inputs": inputs,
        "outputs": outputs,
        "base": found.base,
        "minus_shift": -found.shift,
        "minimum": found.range.minimum,
        "maximum": found.range.maximum,
    }
    call = KernelCall(
        function=_FUNCTION,
        header=f"{_FUNCTION}.h",
        layer_type=f"{_FUNCTION}_layer",
        layer=fields,
        arguments=(layer.place(layer.node.inputs[0]), layer.place(layer.node.outputs[0])),
        sources=(f"{_FUNCTION}.c", f"{_FUNCTION}.S"),
    )
    return RenderedLayer((call,), (weights, constants))
