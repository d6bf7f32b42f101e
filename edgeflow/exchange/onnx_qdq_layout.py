"""Layout operators of a QDQ model: Reshape, Transpose, and operands in the layout they need."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeflow.exchange.onnx_fusion import reads_channels_last
from edgeflow.exchange.onnx_operators import Permutation, Reshaping, Step
from edgeflow.exchange.onnx_qdq_build import Building
from edgeflow.exchange.onnx_qdq_values import NCHW, Order, Shape, Value, refuse
from edgeflow.graph.ir import OpKind


def channels_last(building: Building, value: Value, step: Step) -> Value:
    """The operand as [N, C, H, W] in the file and [N, H, W, C] in the graph."""
    if value.channels_last:
        return value
    if value.order is None and value.flat_order() is None:
        nchw = tuple(value.shape[axis] for axis in value.axes)
        if orders_agree(nchw):
            return reshape_value(building, value, nchw, NCHW, f"{step.name}/reshape")
    raise refuse(
        step,
        f"its input {value.tensor!r} is not in NCHW order: a Transpose or Reshape before it does "
        "not cancel",
        "export the model with NCHW convolutions and without Transpose between them",
    )


def orders_agree(nchw: Shape) -> bool:
    """Whether NCHW and NHWC put the elements of this shape in the same order."""
    return nchw[1] == 1 or (nchw[2] == 1 and nchw[3] == 1)


def flattened(value: Value, step: Step) -> Value:
    """The operand [1, features] of a dense step; its elements may stand in another order."""
    if len(value.shape) == 2 and value.axes == (0, 1):
        return value
    raise refuse(step, f"its input {value.tensor!r} of shape {list(value.shape)} is transposed")


def reshape_value(
    building: Building, value: Value, shape: Shape, axes: tuple[int, ...], node: str
) -> Value:
    """Emit a RESHAPE to the shape that the graph gives an ONNX tensor of `shape`; order is kept."""
    in_graph = tuple(shape[axes.index(i)] for i in range(len(axes)))
    like = replace(value, tensor=node, shape=in_graph, axes=axes, order=None)
    return building.emit(OpKind.RESHAPE, (value.tensor,), like, node=node)


def reshape(building: Building, step: Step) -> None:
    """Reshape, Flatten, Squeeze, Unsqueeze to RESHAPE, with the order of elements kept in mind."""
    assert isinstance(step.operator, Reshaping)
    value, target = building.operand(step, 0), step.operator.shape
    if not target or target[0] != 1 or len(target) > 4:
        raise refuse(
            step, f"the shape {list(target)}; supported are [1, ...] of up to 4 dimensions"
        )
    order = value.flat_order()
    name = building.tensor_name(step.output)
    axes, kept = tuple(range(len(target))), order
    if len(target) == 4 and not reads_channels_last(building.consumers, step.output):
        if not _is_channels_last(order, target):
            raise refuse(
                step,
                f"from {list(value.shape)} to {list(target)} moves elements between channels and "
                "positions",
                "export the model so that it keeps [N, C, H, W] tensors as they are",
            )
        axes, kept = NCHW, None
    in_graph = tuple(target[axes.index(i)] for i in range(len(axes)))
    like = Value(name, in_graph, value.quantization, axes, kept)
    building.values[step.output] = building.emit(
        OpKind.RESHAPE, (value.tensor,), like, node=step.name
    )


def _is_channels_last(order: Order | None, target: Shape) -> bool:
    """Whether elements in `order` are those of NHWC read as NCHW of shape `target`."""
    if order is None:
        return orders_agree(target)
    _, channels, height, width = target
    nhwc = np.arange(order.size).reshape(height, width, channels)
    return bool(np.array_equal(order, nhwc.transpose(2, 0, 1).reshape(-1)))


def transpose(building: Building, step: Step) -> None:
    """Transpose changes the layout only."""
    assert isinstance(step.operator, Permutation)
    value, order = building.operand(step, 0), step.operator.order
    if order[0] != 0:
        raise refuse(step, "moves the batch dimension")
    if value.order is not None and order != tuple(range(len(order))):
        raise refuse(step, "transposes a flattened tensor")
    building.values[step.output] = value.permuted(order)
