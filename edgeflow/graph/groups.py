"""Groups of a CONV_2D: as in TensorFlow Lite, the shapes of its input and weights tell them."""

from __future__ import annotations

from edgeflow.graph.ir import Graph, Node, OpKind


def groups(graph: Graph, node: Node) -> int:
    """Equal parts of the input channels, each read by its part of the filters alone.

    1 for an ordinary convolution and for every other operator.
    """
    if node.kind is not OpKind.CONV_2D:
        return 1
    x, weights = (graph.tensors[name] for name in node.inputs[:2])
    return x.shape[3] // weights.shape[3]
