"""The checker: what makes an integer graph legal. Everything below this room relies on it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from edgeflow.errors import GraphError
from edgeflow.graph.ir import (
    Attributes,
    Concatenation,
    Conv2D,
    DType,
    Elementwise,
    FullyConnected,
    Graph,
    Mean,
    NoAttributes,
    Node,
    OpKind,
    Pad,
    Pool2D,
    Quantization,
    Softmax,
    Tensor,
)
from edgeflow.graph.overflow import check_overflow
from edgeflow.graph.quantization_rules import check_quantization
from edgeflow.graph.requantize import REQUANTIZATIONS
from edgeflow.graph.shape_inference import infer_shape

MAX_RANK = 4
MAX_ELEMENTS = 2**31 - 1
LARGEST_FLOAT32 = float(np.finfo(np.float32).max)

ATTRIBUTES: Mapping[OpKind, type[Attributes]] = {
    OpKind.CONV_2D: Conv2D,
    OpKind.DEPTHWISE_CONV_2D: Conv2D,
    OpKind.FULLY_CONNECTED: FullyConnected,
    OpKind.ADD: Elementwise,
    OpKind.MUL: Elementwise,
    OpKind.AVERAGE_POOL_2D: Pool2D,
    OpKind.MAX_POOL_2D: Pool2D,
    OpKind.MEAN: Mean,
    OpKind.PAD: Pad,
    OpKind.RESHAPE: NoAttributes,
    OpKind.CONCATENATION: Concatenation,
    OpKind.SOFTMAX: Softmax,
    OpKind.RELU: NoAttributes,
    OpKind.RELU6: NoAttributes,
    OpKind.LOGISTIC: NoAttributes,
    OpKind.QUANTIZE: NoAttributes,
}

_WEIGHTED = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED)
_JOINING = (OpKind.ADD, OpKind.MUL, OpKind.CONCATENATION)


def check(graph: Graph) -> None:
    """Check a graph whole: names, order, types, shapes, quantization, attributes, accumulators.

    Raises:
        GraphError: the first rule that is broken, with the node or tensor and the figures.
    """
    for name, tensor in graph.tensors.items():
        _check_tensor(name, tensor)
    _check_names_and_order(graph)
    for node in graph.nodes:
        _check_signature(graph, node)
        _check_shape(graph, node)
        check_quantization(graph, node)
        derive = REQUANTIZATIONS.get(node.kind)
        if derive is not None:
            derive(graph, node)
        check_overflow(graph, node)


def _check_tensor(name: str, tensor: Tensor) -> None:
    where = f"tensor '{name}'"
    if not name or name != tensor.name:
        raise GraphError(f"{where} calls itself '{tensor.name}'", hint="Names must agree.")
    if len(tensor.shape) > MAX_RANK or any(size < 1 for size in tensor.shape):
        raise GraphError(
            f"{where} has the shape {list(tensor.shape)}",
            hint=f"At most {MAX_RANK} dimensions, each at least 1.",
        )
    if math.prod(tensor.shape) > MAX_ELEMENTS:
        raise GraphError(
            f"{where} has {math.prod(tensor.shape)} elements", hint="Sizes must fit 32 bits."
        )
    if not tensor.is_constant and (not tensor.shape or tensor.shape[0] != 1):
        raise GraphError(
            f"{where} has the shape {list(tensor.shape)}",
            hint="The first dimension of an activation is the batch, and it is 1.",
        )
    if tensor.quantization is None:
        raise GraphError(
            f"{where} has no quantization", hint="Every tensor needs scale and zero point."
        )
    _check_parameters(where, tensor, tensor.quantization)
    _check_data(where, tensor)


def _check_parameters(where: str, tensor: Tensor, quantization: Quantization) -> None:
    scales, zero_points, axis = quantization.scales, quantization.zero_points, quantization.axis
    expected = 1 if axis is None else 0
    if axis is not None:
        if not 0 <= axis < len(tensor.shape):
            raise GraphError(
                f"{where}: quantization axis {axis} of {len(tensor.shape)} dimensions",
                hint="The axis must be one of the tensor's dimensions.",
            )
        expected = tensor.shape[axis]
    if len(scales) != expected or len(zero_points) != expected:
        raise GraphError(
            f"{where} has {len(scales)} scales and {len(zero_points)} zero points, not {expected}",
            hint="One of each, or one for each index of the quantization axis.",
        )
    for scale in scales:
        if not (0.0 < scale <= LARGEST_FLOAT32 and float(np.float32(scale)) == scale):
            raise GraphError(
                f"{where} has the scale {scale!r}",
                hint="Scales are finite float32 values above 0; round them before.",
            )
    for zero_point in zero_points:
        if not -128 <= zero_point <= 127:
            raise GraphError(f"{where} has the zero point {zero_point}", hint="It must fit int8.")


def _check_data(where: str, tensor: Tensor) -> None:
    if tensor.data is None:
        if tensor.dtype is not DType.INT8:
            raise GraphError(f"{where} is {tensor.dtype}", hint="Activations are int8.")
        if tensor.bits != 8:
            raise GraphError(
                f"{where} is an activation of {tensor.bits} bits",
                hint="Only constants are narrower than 8 bits.",
            )
        return
    if tensor.data.dtype != np.dtype(tensor.dtype.value) or tensor.data.shape != tensor.shape:
        raise GraphError(
            f"{where} is {tensor.dtype}{list(tensor.shape)} and its data "
            f"{tensor.data.dtype}{list(tensor.data.shape)}",
            hint="Type and shape of constants must be those of their data.",
        )
    if tensor.dtype is DType.INT8:
        bound = 2 ** (tensor.bits - 1) if 1 < tensor.bits <= 8 else 0
        if int(tensor.data.min()) < -bound or int(tensor.data.max()) >= bound:
            raise GraphError(
                f"{where}: {tensor.data.min()} to {tensor.data.max()} in {tensor.bits} bits",
                hint="int8 constants have 2 to 8 significant bits, two's complement.",
            )


def _check_names_and_order(graph: Graph) -> None:
    if not graph.inputs or not graph.outputs:
        raise GraphError(f"graph '{graph.name}' has no input or no output", hint="It needs both.")
    available: set[str] = set()
    for name in graph.inputs:
        if name in available or name not in graph.tensors or graph.tensors[name].is_constant:
            raise GraphError(
                f"graph input '{name}' is listed twice, unknown or a constant",
                hint="Inputs are distinct tensors without data.",
            )
        available.add(name)
    node_names: set[str] = set()
    for node in graph.nodes:
        if not node.name or node.name in node_names:
            raise GraphError(f"node name '{node.name}' is empty or taken", hint="Rename the node.")
        node_names.add(node.name)
        _check_references(graph, node, available)
        available.update(node.outputs)
    produced = available - set(graph.inputs)
    for name in graph.outputs:
        if name not in produced:
            raise GraphError(
                f"graph output '{name}' is not the output of a node",
                hint="Outputs must be computed by the graph.",
            )
    if len(set(graph.outputs)) != len(graph.outputs):
        raise GraphError(f"graph outputs {list(graph.outputs)} repeat", hint="List each once.")


def _check_references(graph: Graph, node: Node, available: set[str]) -> None:
    where = f"node '{node.name}' ({node.kind})"
    for name in (*node.inputs, *node.outputs):
        if name not in graph.tensors:
            raise GraphError(f"{where} names the unknown tensor '{name}'", hint="Add the tensor.")
    for name in node.inputs:
        if name not in available and not graph.tensors[name].is_constant:
            raise GraphError(
                f"{where} reads '{name}' before any node has written it",
                hint="Nodes must be in an order in which they can run.",
            )
    for name in node.outputs:
        if name in available or graph.tensors[name].is_constant:
            raise GraphError(
                f"{where} writes '{name}', which is written already, an input or a constant",
                hint="Each tensor has one writer.",
            )


def _check_signature(graph: Graph, node: Node) -> None:
    """Arity, the kind of each operand, and the type of the attributes."""
    where = f"node '{node.name}' ({node.kind})"
    if not isinstance(node.attributes, ATTRIBUTES[node.kind]):
        raise GraphError(
            f"{where} has attributes of type {type(node.attributes).__name__}",
            hint=f"{node.kind} takes {ATTRIBUTES[node.kind].__name__}.",
        )
    if len(node.outputs) != 1:
        raise GraphError(f"{where} has {len(node.outputs)} outputs", hint="Each node has one.")
    operands = [graph.tensors[name] for name in node.inputs]
    roles = [(tensor.is_constant, tensor.dtype) for tensor in operands]
    activation, weights, bias = (False, DType.INT8), (True, DType.INT8), (True, DType.INT32)
    if node.kind in _WEIGHTED:
        legal = roles == [activation, weights, bias]
        expected = "an activation, constant int8 weights and a constant int32 bias"
    elif node.kind in _JOINING:
        legal = activation in roles and all(dtype is DType.INT8 for _, dtype in roles)
        legal = legal and (len(roles) == 2 or node.kind is OpKind.CONCATENATION)
        expected = "int8 tensors, at least one of them an activation"
    else:
        legal = roles == [activation]
        expected = "one activation"
    if not legal:
        given = [f"{'constant ' if constant else ''}{dtype}" for constant, dtype in roles]
        raise GraphError(f"{where} reads {given}", hint=f"{node.kind} takes {expected}.")


def _check_shape(graph: Graph, node: Node) -> None:
    inferred = infer_shape(graph, node)
    stated = graph.tensors[node.outputs[0]].shape
    if inferred != stated:
        raise GraphError(
            f"node '{node.name}' ({node.kind}): the output '{node.outputs[0]}' has the shape "
            f"{list(stated)}, the inputs and attributes give {list(inferred)}",
            hint="Correct the shape or the attributes.",
        )
