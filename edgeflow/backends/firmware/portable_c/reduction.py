"""AVERAGE_POOL_2D, MAX_POOL_2D, MEAN and SOFTMAX as calls of the portable kernels."""

from __future__ import annotations

import numpy as np

from edgeflow.backends.firmware.c_text import Value
from edgeflow.backends.firmware.portable_c.operands import clamp_fields
from edgeflow.backends.firmware.rendering import KernelCall, LayerContext, RenderedLayer
from edgeflow.graph.ir import Mean, OpKind, Pool2D
from edgeflow.graph.requantize import mean_requantization, pool_range, softmax_scaling

_TAPS = ("edgeflow_taps.c",)
_POOLS = {
    OpKind.AVERAGE_POOL_2D: "edgeflow_average_pool_2d",
    OpKind.MAX_POOL_2D: "edgeflow_max_pool_2d",
}


def _one_call(
    layer: LayerContext,
    function: str,
    family: str,
    fields: dict[str, Value],
    more_sources: tuple[str, ...] = (),
) -> RenderedLayer:
    call = KernelCall(
        function=function,
        header=f"{family}.h",
        layer_type=f"{family}_layer",
        layer=fields,
        arguments=(layer.place(layer.node.inputs[0]), layer.place(layer.node.outputs[0])),
        sources=(f"{function}.c", *more_sources),
    )
    return RenderedLayer((call,))


def pool_2d(layer: LayerContext) -> RenderedLayer:
    """AVERAGE_POOL_2D and MAX_POOL_2D."""
    attributes = layer.node.attributes
    assert isinstance(attributes, Pool2D)
    bounds = pool_range(layer.graph, layer.node)
    _, in_h, in_w, channels = layer.input(0).shape
    _, out_h, out_w, _ = layer.output.shape
    fields: dict[str, Value] = {
        "input_height": in_h,
        "input_width": in_w,
        "channels": channels,
        "output_height": out_h,
        "output_width": out_w,
        "filter_height": attributes.kernel_h,
        "filter_width": attributes.kernel_w,
        "stride_height": attributes.window.stride_h,
        "stride_width": attributes.window.stride_w,
        "pad_top": attributes.window.pad_top,
        "pad_left": attributes.window.pad_left,
        "minimum": bounds.minimum,
        "maximum": bounds.maximum,
    }
    return _one_call(layer, _POOLS[layer.node.kind], "edgeflow_pool_2d", fields, _TAPS)


def _runs(shape: tuple[int, ...], axes: frozenset[int]) -> list[tuple[bool, int, int]]:
    """(averaged, size, step) of the dimensions, neighbours of one sort merged, outermost first."""
    runs: list[tuple[bool, int, int]] = []
    step = 1
    for axis in reversed(range(len(shape))):
        averaged = axis in axes
        if shape[axis] > 1:
            if runs and runs[0][0] == averaged:
                runs[0] = (averaged, runs[0][1] * shape[axis], runs[0][2])
            else:
                runs.insert(0, (averaged, shape[axis], step))
        step *= shape[axis]
    return runs


def _two_dimensions(runs: list[tuple[bool, int, int]], *, averaged: bool) -> tuple[Value, Value]:
    """Four dimensions, the first of size 1, alternate at most twice between kept and averaged."""
    found: list[Value] = [
        {"size": size, "step": step} for sort, size, step in runs if sort is averaged
    ]
    one: Value = {"size": 1, "step": 0}
    outer, inner = [one] * (2 - len(found)) + found
    return outer, inner


def mean(layer: LayerContext) -> RenderedLayer:
    """MEAN over any axes."""
    attributes = layer.node.attributes
    assert isinstance(attributes, Mean)
    shape = layer.input(0).shape
    constants = mean_requantization(layer.graph, layer.node)
    runs = _runs(shape, frozenset(axis % len(shape) for axis in attributes.axes))
    fields: dict[str, Value] = {
        "kept": _two_dimensions(runs, averaged=False),
        "averaged": _two_dimensions(runs, averaged=True),
        "input_offset": -constants.input_zero_point * constants.count,
        "multiplier": constants.multiplier,
        "shift": constants.shift,
        **clamp_fields(constants.range, constants.output_zero_point),
    }
    return _one_call(layer, "edgeflow_mean", "edgeflow_mean", fields)


def softmax(layer: LayerContext) -> RenderedLayer:
    """SOFTMAX over the last dimension."""
    classes = layer.output.shape[-1]
    constants = softmax_scaling(layer.graph, layer.node)
    fields: dict[str, Value] = {
        "rows": int(np.prod(layer.output.shape)) // classes,
        "classes": classes,
        "multiplier": constants.multiplier,
        "left_shift": constants.left_shift,
        "difference_minimum": constants.difference_minimum,
    }
    return _one_call(layer, "edgeflow_softmax", "edgeflow_softmax", fields)
