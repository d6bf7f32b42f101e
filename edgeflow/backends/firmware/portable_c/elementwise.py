"""ADD, MUL, RELU, RELU6, QUANTIZE and LOGISTIC as calls of the portable kernels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgeflow.backends.firmware.c_text import CType, Expression, Value
from edgeflow.backends.firmware.linear_sum import linear_sum
from edgeflow.backends.firmware.portable_c.operands import clamp_fields, operand_place
from edgeflow.backends.firmware.rendering import KernelCall, LayerContext, RenderedLayer
from edgeflow.graph.ir import Tensor
from edgeflow.graph.requantization import Rescaling
from edgeflow.graph.requantize import (
    add_requantization,
    logistic_table,
    mul_requantization,
    quantize_rescaling,
    relu_rescaling,
)


def _operand_steps(layer: LayerContext, operand: Tensor, by_channel: bool) -> dict[str, Value]:
    channels = layer.output.shape[-1]
    elements = int(np.prod(operand.shape))
    if elements == int(np.prod(layer.output.shape)):
        return {"outer_step": channels if by_channel else 0, "inner_step": 1}
    return {"outer_step": 0, "inner_step": 1 if elements > 1 else 0}


def _elementwise(
    layer: LayerContext,
    function: str,
    operands: tuple[Mapping[str, Value], Mapping[str, Value]],
    fields: Mapping[str, Value],
) -> RenderedLayer:
    """Rows of channels where an operand repeats for each pixel, else one run of all elements."""
    elements = int(np.prod(layer.output.shape))
    channels = layer.output.shape[-1]
    tensors = (layer.input(0), layer.input(1))
    by_channel = any(1 < np.prod(tensor.shape) < elements for tensor in tensors)
    arguments = [operand_place(layer, index) for index in range(2)]
    call = KernelCall(
        function=function,
        header="edgeflow_elementwise.h",
        layer_type="edgeflow_elementwise_layer",
        layer={
            "outer": elements // channels if by_channel else 1,
            "inner": channels if by_channel else elements,
            "first": {**_operand_steps(layer, tensors[0], by_channel), **operands[0]},
            "second": {**_operand_steps(layer, tensors[1], by_channel), **operands[1]},
            **fields,
        },
        arguments=(arguments[0][0], arguments[1][0], layer.place(layer.node.outputs[0])),
        sources=(f"{function}.c",),
    )
    return RenderedLayer((call,), (*arguments[0][1], *arguments[1][1]))


def linear_add(layer: LayerContext) -> RenderedLayer | None:
    """ADD of operands of one shape as one linear form; None where there is none."""
    constants = add_requantization(layer.graph, layer.node)
    shapes = {layer.input(0).shape, layer.input(1).shape, layer.output.shape}
    found = linear_sum(constants) if len(shapes) == 1 else None
    if found is None:
        return None
    places = [operand_place(layer, index) for index in range(2)]
    function = "edgeflow_linear_add"
    call = KernelCall(
        function=function,
        header=f"{function}.h",
        layer_type=f"{function}_layer",
        layer={
            "elements": int(np.prod(layer.output.shape)),
            "first_multiplier": found.first_multiplier,
            "second_multiplier": found.second_multiplier,
            "base": found.base,
            "shift": found.shift,
            "minimum": constants.range.minimum,
            "maximum": constants.range.maximum,
        },
        arguments=(places[0][0], places[1][0], layer.place(layer.node.outputs[0])),
        sources=(f"{function}.c",),
    )
    return RenderedLayer((call,), (*places[0][1], *places[1][1]))


def add(layer: LayerContext) -> RenderedLayer:
    """ADD."""
    linear = linear_add(layer)
    if linear is not None:
        return linear
    constants = add_requantization(layer.graph, layer.node)
    first: dict[str, Value] = {
        "zero_point": constants.input1_zero_point,
        "multiplier": constants.input1_multiplier,
        "shift": constants.input1_shift,
    }
    second: dict[str, Value] = {
        "zero_point": constants.input2_zero_point,
        "multiplier": constants.input2_multiplier,
        "shift": constants.input2_shift,
    }
    fields: dict[str, Value] = {
        "left_shift": constants.left_shift,
        "multiplier": constants.output_multiplier,
        "shift": constants.output_shift,
        **clamp_fields(constants.range, constants.output_zero_point),
    }
    return _elementwise(layer, "edgeflow_add", (first, second), fields)


def mul(layer: LayerContext) -> RenderedLayer:
    """MUL."""
    constants = mul_requantization(layer.graph, layer.node)
    operands: tuple[dict[str, Value], dict[str, Value]] = (
        {"zero_point": constants.input1_zero_point},
        {"zero_point": constants.input2_zero_point},
    )
    fields: dict[str, Value] = {
        "multiplier": constants.multiplier,
        "shift": constants.shift,
        **clamp_fields(constants.range, constants.output_zero_point),
    }
    return _elementwise(layer, "edgeflow_mul", operands, fields)


def _rescaling(layer: LayerContext, constants: Rescaling) -> RenderedLayer:
    call = KernelCall(
        function="edgeflow_rescale_tensor",
        header="edgeflow_rescale.h",
        layer_type="edgeflow_rescale_layer",
        layer={
            "elements": int(np.prod(layer.output.shape)),
            "input_zero_point": constants.input_zero_point,
            "multiplier": constants.multiplier,
            "shift": constants.shift,
            **clamp_fields(constants.range, constants.output_zero_point),
        },
        arguments=(layer.place(layer.node.inputs[0]), layer.place(layer.node.outputs[0])),
        sources=("edgeflow_rescale.c",),
    )
    return RenderedLayer((call,))


def relu(layer: LayerContext) -> RenderedLayer:
    """RELU and RELU6."""
    return _rescaling(layer, relu_rescaling(layer.graph, layer.node))


def quantize(layer: LayerContext) -> RenderedLayer:
    """QUANTIZE."""
    return _rescaling(layer, quantize_rescaling(layer.graph, layer.node))


def logistic(layer: LayerContext) -> RenderedLayer:
    """LOGISTIC by its table of 256 outputs."""
    outputs = logistic_table(layer.graph, layer.node).outputs
    table = layer.constant("table", CType.INT8, outputs, "output for each input from -128 to 127")
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
