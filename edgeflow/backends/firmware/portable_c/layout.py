"""PAD, CONCATENATION and RESHAPE as calls of the portable kernels."""

from __future__ import annotations

import numpy as np

from edgeflow.backends.firmware.c_text import ConstantArray, Expression
from edgeflow.backends.firmware.portable_c.operands import operand_place
from edgeflow.backends.firmware.rendering import KernelCall, LayerContext, RenderedLayer
from edgeflow.graph.ir import Concatenation, Pad

_PAD_RANK = 4


def pad(layer: LayerContext) -> RenderedLayer:
    """PAD; missing dimensions in front count as 1."""
    assert isinstance(layer.node.attributes, Pad)
    x, quantization = layer.input(0), layer.output.quantization
    assert quantization is not None
    missing = _PAD_RANK - len(x.shape)
    call = KernelCall(
        function="edgeflow_pad",
        header="edgeflow_copy.h",
        layer_type="edgeflow_pad_layer",
        layer={
            "input": (1,) * missing + x.shape,
            "before": (0,) * missing + tuple(before for before, _ in layer.node.attributes.pads),
            "output": (1,) * missing + layer.output.shape,
            "value": quantization.zero_points[0],
        },
        arguments=(layer.place(x.name), layer.place(layer.node.outputs[0])),
        sources=("edgeflow_pad.c",),
    )
    return RenderedLayer((call,))


def copy_call(
    count: int, size: int, steps: tuple[int, int], places: tuple[Expression, Expression]
) -> KernelCall:
    """Copies `count` pieces of `size` elements; steps and places are of the input and output."""
    return KernelCall(
        function="edgeflow_copy",
        header="edgeflow_copy.h",
        layer_type="edgeflow_copy_layer",
        layer={"count": count, "size": size, "input_step": steps[0], "output_step": steps[1]},
        arguments=places,
        sources=("edgeflow_copy.c",),
    )


def concatenation(layer: LayerContext) -> RenderedLayer:
    """CONCATENATION: each input is copied to its place in every row of the output."""
    assert isinstance(layer.node.attributes, Concatenation)
    shape = layer.output.shape
    axis = layer.node.attributes.axis % len(shape)
    outer = int(np.prod(shape[:axis], dtype=np.int64))
    row = int(np.prod(shape[axis:], dtype=np.int64))
    calls: list[KernelCall] = []
    constants: list[ConstantArray] = []
    at = layer.offset_bytes[layer.node.outputs[0]]
    for index in range(len(layer.node.inputs)):
        piece = int(np.prod(layer.input(index).shape[axis:], dtype=np.int64))
        place, arrays = operand_place(layer, index)
        target = Expression(f"&edgeflow_arena[{at}]")
        calls.append(copy_call(outer, piece, (piece, row), (place, target)))
        constants.extend(arrays)
        at += piece
    return RenderedLayer(tuple(calls), tuple(constants))


def reshape(layer: LayerContext) -> RenderedLayer:
    """RESHAPE: the planner lets the output lie on the input."""
    assert layer.place(layer.node.inputs[0]) == layer.place(layer.node.outputs[0])
    return RenderedLayer(())
