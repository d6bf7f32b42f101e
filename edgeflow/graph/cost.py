"""What an operator costs on any device: multiply-accumulates, weight bytes, and its signature.

The signature is the key under which profiles hold what the operator costs on one device: equal for
operators that run the same instructions on int8 weights, whatever their constants and names. Narrow
weights differ in the precision.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgeflow.graph.groups import groups
from edgeflow.graph.ir import (
    Activation,
    Concatenation,
    Conv2D,
    DType,
    Elementwise,
    FullyConnected,
    Graph,
    Mean,
    Node,
    OpKind,
    Pad,
    Pool2D,
    Tensor,
    Window,
)

_BYTES_OF_INT32 = 4
WEIGHTED_KINDS = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED)


def macs(graph: Graph, node: Node) -> int:
    """Products of an input and a weight, those in the padding counted too; 0 without weights."""
    if node.kind not in WEIGHTED_KINDS:
        return 0
    weights = graph.tensors[node.inputs[1]]
    output = graph.tensors[node.outputs[0]]
    positions = math.prod(output.shape[:-1])
    return positions * math.prod(weights.shape)


def weight_bytes(graph: Graph, node: Node) -> int:
    """Bytes of the node's constants, narrow ones packed (a tensor takes whole bytes)."""
    tensors = [graph.tensors[name] for name in dict.fromkeys(node.inputs)]
    return sum(_constant_bytes(tensor) for tensor in tensors if tensor.is_constant)


def _constant_bytes(tensor: Tensor) -> int:
    count = math.prod(tensor.shape)
    if tensor.dtype is DType.INT32:
        return count * _BYTES_OF_INT32
    return (count * tensor.bits + 7) // 8


def precision(graph: Graph, node: Node) -> str:
    """Such as w8a8 or w4a8: bits of weights and activations; without weights w8.

    With the signature it is the key of a profile's row.
    """
    if node.kind not in WEIGHTED_KINDS:
        return "w8a8"
    return f"w{graph.tensors[node.inputs[1]].bits}a8"


def signature(graph: Graph, node: Node) -> str:
    """Such as `CONV_2D in=1x8x8x3 out=1x8x8x16 kernel=3x3 stride=1x1 pad=1,1,1,1 act=relu`.

    Fields come in a fixed order; constant operands of ADD, MUL, CONCATENATION say `const:`.
    Stride and dilation are height x width, padding is top, bottom, left, right.
    """
    inputs = [graph.tensors[name] for name in node.inputs]
    fields = [f"in={_operands(node, inputs)}", f"out={_size(graph.tensors[node.outputs[0]].shape)}"]
    match node.attributes:
        case Conv2D(window=window, activation=activation):
            fields += _window_fields(inputs[1].shape[1:3], window)
            parts = groups(graph, node)
            fields += [f"groups={parts}"] if parts > 1 else []
            fields += _activation_field(activation)
        case Pool2D(kernel_h=kernel_h, kernel_w=kernel_w, window=window, activation=activation):
            fields += _window_fields((kernel_h, kernel_w), window)
            fields += _activation_field(activation)
        case FullyConnected(activation=activation) | Elementwise(activation=activation):
            fields += _activation_field(activation)
        case Mean(axes=axes):
            fields.append("axes=" + ",".join(str(axis) for axis in axes))
        case Concatenation(axis=axis):
            fields.append(f"axis={axis}")
        case Pad(pads=pads):
            fields.append("pads=" + ",".join(f"{before}+{after}" for before, after in pads))
    return " ".join([node.kind.value, *fields])


def _operands(node: Node, inputs: Sequence[Tensor]) -> str:
    """Shapes of the operands that vary; weights and biases follow from the other fields."""
    if node.kind in WEIGHTED_KINDS:
        return _size(inputs[0].shape)
    return "+".join(f"{'const:' if t.is_constant else ''}{_size(t.shape)}" for t in inputs)


def _size(shape: Sequence[int]) -> str:
    return "x".join(str(size) for size in shape) or "scalar"


def _window_fields(kernel: Sequence[int], window: Window) -> list[str]:
    pads = (window.pad_top, window.pad_bottom, window.pad_left, window.pad_right)
    fields = [
        f"kernel={_size(kernel)}",
        f"stride={window.stride_h}x{window.stride_w}",
        "pad=" + ",".join(str(amount) for amount in pads),
    ]
    if (window.dilation_h, window.dilation_w) != (1, 1):
        fields.append(f"dilation={window.dilation_h}x{window.dilation_w}")
    return fields


def _activation_field(activation: Activation) -> list[str]:
    return [] if activation is Activation.NONE else [f"act={activation.value}"]
