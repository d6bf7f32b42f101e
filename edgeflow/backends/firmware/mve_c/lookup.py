"""RELU, RELU6 and QUANTIZE by tables of 256 outputs, of which a gather takes sixteen at a time."""

from __future__ import annotations

import numpy as np

from edgeflow.backends.firmware.c_text import CType, Expression
from edgeflow.backends.firmware.rendering import KernelCall, LayerContext, RenderedLayer
from edgeflow.graph.fixed_point import multiply_by_quantized_multiplier
from edgeflow.graph.requantization import Rescaling
from edgeflow.graph.requantize import quantize_rescaling, relu_rescaling


def relu(layer: LayerContext) -> RenderedLayer:
    """RELU and RELU6."""
    return _looked_up(layer, relu_rescaling(layer.graph, layer.node))


def quantize(layer: LayerContext) -> RenderedLayer:
    """QUANTIZE."""
    return _looked_up(layer, quantize_rescaling(layer.graph, layer.node))


def _looked_up(layer: LayerContext, values: Rescaling) -> RenderedLayer:
    inputs = np.arange(-128, 128, dtype=np.int64) - values.input_zero_point
    scaled = multiply_by_quantized_multiplier(inputs, values.multiplier, values.shift)
    outputs = scaled + values.output_zero_point
    table = layer.constant(
        "table",
        CType.INT8,
        np.clip(outputs, values.range.minimum, values.range.maximum),
        "output for each input from -128 to 127",
    )
    call = KernelCall(
        function="edgeflow_lookup",
        header="edgeflow_rescale.h",
        layer_type="edgeflow_lookup_layer",
        layer={"elements": int(np.prod(layer.output.shape))},
        arguments=(
            layer.place(layer.node.inputs[0]),
            Expression(table.name),
            layer.place(layer.node.outputs[0]),
        ),
        sources=("edgeflow_lookup.c",),
    )
    return RenderedLayer((call,), (table,))
