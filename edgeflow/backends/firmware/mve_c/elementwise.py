"""ADD of two tensors of one shape as a call of `edgeflow_mve_add`."""

from __future__ import annotations

import numpy as np

from edgeflow.backends.firmware import dsp_c
from edgeflow.backends.firmware.linear_sum import linear_sum
from edgeflow.backends.firmware.portable_c.operands import operand_place
from edgeflow.backends.firmware.rendering import KernelCall, LayerContext, RenderedLayer
from edgeflow.graph.ir import OpKind
from edgeflow.graph.requantize import add_requantization


def add(layer: LayerContext) -> RenderedLayer:
    """ADD; operands that repeat, and scales without a linear form, take the DSP set's kernel."""
    values = add_requantization(layer.graph, layer.node)
    shapes = {layer.input(0).shape, layer.input(1).shape, layer.output.shape}
    found = linear_sum(values) if len(shapes) == 1 else None
    if found is None:
        return dsp_c.RENDERERS[OpKind.ADD](layer)
    places = [operand_place(layer, index) for index in range(2)]
    call = KernelCall(
        function="edgeflow_mve_add",
        header="edgeflow_mve_add.h",
        layer_type="edgeflow_mve_add_layer",
        layer={
            "elements": int(np.prod(layer.output.shape)),
            "first_multiplier": found.first_multiplier,
            "second_multiplier": found.second_multiplier,
            "base": found.base,
            "minus_shift": -found.shift,
            "minimum": values.range.minimum,
            "maximum": values.range.maximum,
        },
        arguments=(places[0][0], places[1][0], layer.place(layer.node.outputs[0])),
        sources=("edgeflow_mve_add.c",),
    )
    return RenderedLayer((call,), (*places[0][1], *places[1][1]))
